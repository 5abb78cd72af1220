"""Batches of two domains, put together of the batches of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from lightning_gan.data import ResumableLoader

Side = tuple[int, int]


class Augmentation:
    """Random jitter and mirroring, a function of the seed and the number of the batch alone.

    Images are enlarged by ``jitter`` pixels on each side and cut back to their size at a random
    place, and mirrored with a probability of one half (Isola et al. 2017, section 6.2).

    Args:
        jitter: Pixels by which height and width grow before they are cut; 0: none.
        mirror: Whether images are mirrored.
        together: Whether images of two domains are pairs, which are cut and mirrored alike.
        seed: Key of what is drawn, at least 0.
    """

    def __init__(self, jitter: int, mirror: bool, together: bool, seed: int) -> None:
        self.jitter, self.mirror, self.together, self.seed = jitter, mirror, together, seed

    def __call__(self, images: Sequence[Tensor], key: tuple[int, ...]) -> list[Tensor]:
        """Return both domains' images, (N, C, H, W) each, changed.

        Args:
            images: Those of each domain.
            key: What is drawn is a function of it.
        """
        if not (self.jitter or self.mirror):
            return list(images)
        found = []
        for domain, batch in enumerate(images):
            draws = np.random.default_rng((self.seed, 0 if self.together else domain, *key))
            found.append(self._changed(batch, draws))
        return found

    def _changed(self, batch: Tensor, draws: np.random.Generator) -> Tensor:
        height, width = batch.shape[2:]
        larger = batch
        if self.jitter:
            size = (height + self.jitter, width + self.jitter)
            larger = interpolate(batch, size=size, mode="bilinear", align_corners=False)
        changed = []
        for image in larger:
            top, left = (int(place) for place in draws.integers(0, self.jitter + 1, 2))
            image = image[:, top : top + height, left : left + width]
            mirrored = self.mirror and draws.random() < 0.5
            changed.append(image.flip(-1) if mirrored else image)
        return torch.stack(changed)


class JointLoader:
    """Batches of two domains, or of images that hold both side by side.

    An iteration has as many batches as the longest of its loaders; a shorter one begins again in
    the midst of it. With one loader an image is cut in two, left and right.

    Args:
        loaders: One for each domain, or one of images with both.
        size: (height, width) that images are resized to; None keeps theirs.
        augmentation: What changes the images of training; None: nothing.
        rank: Number of this process, from 0.
    """

    def __init__(
        self,
        loaders: Sequence[ResumableLoader],
        size: Side | None = None,
        augmentation: Augmentation | None = None,
        rank: int = 0,
    ) -> None:
        self.loaders = loaders
        self.size = size
        self.augmentation = augmentation
        self.rank = rank
        self._number = 0  # of the next batch, which what is drawn depends on

    def __len__(self) -> int:
        return max(len(loader) for loader in self.loaders)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        sources = [_endless(loader) for loader in self.loaders]
        for _ in range(len(self)):
            images = [_samples(next(source)) for source in sources]
            if len(images) == 1:
                images = halves(images[0])
            n = min(len(part) for part in images)
            a, b = (self._sized(part[:n]) for part in images)
            if self.augmentation is not None:
                a, b = self.augmentation((a, b), (self.rank, self._number))
            self._number += 1
            yield a, b

    def _sized(self, images: Tensor) -> Tensor:
        if self.size is None or tuple(images.shape[2:]) == self.size:
            return images
        return interpolate(
            images, size=self.size, mode="bilinear", antialias=True, align_corners=False
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the places in the batches of each loader."""
        return {
            "number": self._number,
            "loaders": [loader.state_dict() for loader in self.loaders],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after the last batch that a saved loader delivered."""
        self._number = state["number"]
        for loader, saved in zip(self.loaders, state["loaders"], strict=True):
            loader.load_state_dict(saved)


def halves(images: Tensor) -> list[Tensor]:
    """Return the left and the right half of images."""
    return list(torch.chunk(images, 2, dim=-1))


def _endless(loader: ResumableLoader) -> Iterator[Any]:
    while True:
        yield from loader


def _samples(batch: Any) -> Tensor:
    samples: Tensor = batch if isinstance(batch, Tensor) else batch[0]
    return samples
