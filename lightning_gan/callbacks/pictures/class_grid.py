"""Generated classes above real ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_gan.callbacks.periodic import check_positive
from lightning_gan.callbacks.pictures.base import Picture
from lightning_gan.callbacks.pictures.given import check_takes_latents, count_classes, draw_latents
from lightning_gan.callbacks.pictures.grid import grid, separated
from lightning_gan.callbacks.pictures.real_images import RealImages
from lightning_gan.errors import InputError
from lightning_gan.game.conditions import class_entry
from lightning_gan.metrics.features import Bounds, from_uint8

SEEN = 1000  # images of data modules that are not ours, among which all classes should be found


class ClassGrid(Picture):
    """Draw a column for each class: generated samples, a white line, real images.

    All samples of a row come from the same latent, so that a row shows what the class changes and
    a column what the latent changes. Real images are the first ones of each class in the data; of
    a data module that is not ours, the first that were trained on, none before that. Cells without
    a real image stay white.

    Pictures go to ``samples/class-grid-<step>.png``, classes 0 to K-1 from the left (the first 20
    if there are more).

    Args:
        rows: Generated rows.
        real_rows: Real rows.
        seed: Seed of the latents.
        every_n_steps: Batches between pictures; None: only the first and the last.
        every_n_rounds: Rounds between pictures, in place of steps.
        every_n_epochs: Epochs between pictures, in place of steps.

    Raises:
        InputError: A number is below 1, both rounds and epochs are given, or the generator has no
            classes or cannot generate from given latents.
    """

    def __init__(
        self,
        rows: int = 8,
        real_rows: int = 4,
        seed: int = 0,
        every_n_steps: int | None = 500,
        every_n_rounds: int | None = None,
        every_n_epochs: int | None = None,
    ) -> None:
        super().__init__("class-grid", seed, every_n_steps, every_n_rounds, every_n_epochs)
        check_positive("ClassGrid", rows=rows, real_rows=real_rows)
        self.rows = rows
        self.real_rows = real_rows
        self._real = RealImages(SEEN)

    def check(self, module: Any) -> None:
        """Refuse a module without classes."""
        check_takes_latents("ClassGrid", module)
        if not count_classes(module):
            entry = class_entry(module.generator)
            got = "num_classes=None" if entry is None else f"classes in the entry {entry!r} of y"
            raise InputError(
                f"ClassGrid expects a class-conditional generator, got {got}; use SampleGrid for "
                "an unconditional one, or one with other conditions"
            )

    def start(self, trainer: pl.Trainer, module: Any) -> None:
        """Draw that from which training starts."""
        self._real.start()
        super().start(trainer, module)

    def see(self, trainer: pl.Trainer, module: Any, batch: Any) -> None:
        """Look at the real images of the batch."""
        self._real.see(trainer, batch)

    def pictures(self, trainer: pl.Trainer, module: Any) -> Iterator[tuple[int | None, Tensor]]:
        """Make the grid of all classes."""
        classes = count_classes(module)
        z = draw_latents(module, self.rows, self.seed).repeat_interleave(classes, dim=0)
        labels = torch.arange(classes, device=module.device).repeat(self.rows)
        samples = self.sample(module, len(z), labels, z)
        if samples is None:
            return
        real = self._real_rows(trainer, classes)
        if real is None:
            yield None, grid(samples, classes)
            return
        rows = self.rows + self.real_rows
        picture = grid(torch.cat([samples.float().cpu(), real]), classes)
        yield None, separated(picture, dim=1, cells=rows, after=self.rows)

    def bounds(self, module: Any, samples: Tensor) -> Bounds:
        """Return which values are black and white: those of the real images below the samples."""
        return self._real.bounds or super().bounds(module, samples)

    def _real_rows(self, trainer: pl.Trainer, classes: int) -> Tensor | None:
        """Return real images row by row, (real_rows * classes, C, H, W) in [-1, 1]."""
        images, labels = self._real.get(trainer) or (None, None)
        if images is None or labels is None or labels.ndim != 1:
            return None
        real = torch.ones(self.real_rows, classes, *images.shape[1:])
        for k in range(classes):
            first = images[labels.eq(k).nonzero().flatten()[: self.real_rows]]
            real[: len(first), k] = from_uint8(first)
        return real.flatten(0, 1)
