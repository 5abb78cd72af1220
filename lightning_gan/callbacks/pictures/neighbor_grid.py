"""Generated samples beside the training images that are most like them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_gan.callbacks.periodic import check_positive
from lightning_gan.callbacks.pictures.base import Picture
from lightning_gan.callbacks.pictures.given import conditions_of
from lightning_gan.callbacks.pictures.grid import grid, separated
from lightning_gan.callbacks.pictures.real_images import RealImages
from lightning_gan.metrics.features import Bounds, FeatureExtractor, extract, from_uint8, to_uint8
from lightning_gan.metrics.neighbors import nearest_rows

AT_ONCE = 4096  # training images; bounds the memory of their features


class NeighborGrid(Picture):
    """Draw each sample beside its nearest training images: copies are seen at a glance.

    A row is a sample, a white line, and its ``neighbors`` nearest images, the nearest first. The
    distance is Euclidean, between pixels or, with an ``extractor``, between features, in which a
    copy that is shifted or recolored is still near. Of a conditional generator, row r has the class
    r modulo the number of classes, or the condition of a held-out sample.

    All training images that our data modules hold in memory are searched; otherwise those that
    training has seen, up to ``max_images``, so that there is no picture before training. Each
    picture computes the features of all these images anew: with an extractor, draw seldom.

    Pictures go to ``samples/neighbors-<step>.png``.

    Args:
        rows: Samples.
        neighbors: Training images beside each sample.
        max_images: Training images to search, the first ones of the data.
        extractor: Computes the features. None: pixels.
        seed: Seed of the latents.
        every_n_steps: Batches between pictures; None: only the first and the last.
        every_n_rounds: Rounds between pictures, in place of steps.
        every_n_epochs: Epochs between pictures, in place of steps.

    Raises:
        InputError: A number is below 1, both rounds and epochs are given, or the module cannot
            sample.
    """

    def __init__(
        self,
        rows: int = 8,
        neighbors: int = 6,
        max_images: int = 100_000,
        extractor: FeatureExtractor | None = None,
        seed: int = 0,
        every_n_steps: int | None = 2000,
        every_n_rounds: int | None = None,
        every_n_epochs: int | None = None,
    ) -> None:
        super().__init__("neighbors", seed, every_n_steps, every_n_rounds, every_n_epochs)
        check_positive("NeighborGrid", rows=rows, neighbors=neighbors, max_images=max_images)
        self.rows = rows
        self.neighbors = neighbors
        self.max_images = max_images
        self.extractor = extractor
        self._real = RealImages(max_images)

    def start(self, trainer: pl.Trainer, module: Any) -> None:
        """Draw that from which training starts."""
        self._real.start()
        super().start(trainer, module)

    def see(self, trainer: pl.Trainer, module: Any, batch: Any) -> None:
        """Look at the real images of the batch."""
        self._real.see(trainer, batch)

    def pictures(self, trainer: pl.Trainer, module: Any) -> Iterator[tuple[int | None, Tensor]]:
        """Make the rows."""
        labels = conditions_of(module, torch.arange(self.rows))
        samples = self.sample(module, self.rows, labels)
        found = self._real.get(trainer)
        if samples is None or found is None:
            return
        samples, images = samples.float().cpu(), found[0][: self.max_images]
        neighbors = from_uint8(images[self._nearest(samples, images)])
        cells = torch.cat([samples.unsqueeze(1), neighbors], dim=1)
        picture = grid(cells.flatten(0, 1), cells.shape[1])
        yield None, separated(picture, dim=2, cells=cells.shape[1], after=1)

    def bounds(self, module: Any, samples: Tensor) -> Bounds:
        """Return which values are black and white: those of the real images beside the samples."""
        return self._real.bounds or super().bounds(module, samples)

    def _nearest(self, samples: Tensor, images: Tensor) -> Tensor:
        """Return the places in ``images`` of each sample's neighbors, (rows, k), nearest first."""
        queries = self._features(samples)
        distances, places = [], []
        for start in range(0, len(images), AT_ONCE):
            reference = self._features(images[start : start + AT_ONCE])
            k = min(self.neighbors, len(reference))
            distance, place = nearest_rows(queries, reference, k)
            distances.append(distance)
            places.append(place + start)
        k = min(self.neighbors, len(images))
        order = torch.cat(distances, 1).topk(k, largest=False).indices
        return torch.cat(places, 1).gather(1, order).cpu()

    def _features(self, images: Tensor) -> Tensor:
        if self.extractor is not None:
            return extract(self.extractor, images).features
        return to_uint8(images).float().flatten(1)
