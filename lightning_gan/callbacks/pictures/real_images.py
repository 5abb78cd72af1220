"""Training images to show beside generated ones."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_gan.callbacks.reading import read_as_told
from lightning_gan.data.base import ImageData
from lightning_gan.game.conditions import class_entry, classes_of
from lightning_gan.metrics.features import Bounds, pixel_bounds, to_uint8

Images = tuple[Tensor, Tensor | None]
ROOM = 10**9  # bytes, one for each pixel and channel


class RealImages:
    """The training images that a data module holds in memory; else the first that pass by.

    A loader that is not ours is never iterated: its next batches would be others. Nor does memory
    tell what a module's ``prepare_batch`` makes of the images.

    Args:
        limit: Images to keep of those that pass by, within one epoch and ``ROOM`` bytes.

    Attributes:
        bounds: Which values of samples became black and white, where a first batch decided it: that
            of samples whose range is "free".
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._epoch: int | None = None
        self._x: list[Tensor] = []
        self._y: list[Tensor] = []
        self.bounds: Bounds | None = None

    def start(self) -> None:
        """Forget the images of an earlier run."""
        self._epoch, self._x, self._y, self.bounds = None, [], [], None

    def see(self, trainer: pl.Trainer, batch: Any) -> None:
        """Keep the images of a training batch where they are needed."""
        if _in_memory(trainer) is not None:
            return
        if self._epoch is None:
            self._epoch = trainer.current_epoch
        module: Any = trainer.lightning_module
        x, y, _ = read_as_told(module, batch)
        limit = min(self.limit, ROOM // x[0].numel())
        room = limit - sum(map(len, self._x))
        if room > 0 and trainer.current_epoch == self._epoch:
            declared = getattr(module, "sample_range", None)
            if declared == "free" and self.bounds is None:
                self.bounds = pixel_bounds(declared, x)
            self._x.append(
                to_uint8(x[:room].detach(), self.bounds or pixel_bounds(declared, x)).cpu()
            )
            labels = classes_of(y, class_entry(getattr(module, "generator", module)))
            if isinstance(labels, Tensor):
                self._y.append(labels[:room].cpu())

    def get(self, trainer: pl.Trainer) -> Images | None:
        """Return images, uint8 (N, C, H, W), and labels, N first, or None; None while N is 0."""
        data = _in_memory(trainer)
        if data is not None:
            images: Images = data.images("train")
            return images
        if not self._x:
            return None
        return torch.cat(self._x), torch.cat(self._y) if self._y else None


def _in_memory(trainer: pl.Trainer) -> ImageData | None:
    """Return the data module where all images are in memory as they are trained on."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    prepared = getattr(trainer.lightning_module, "prepare_batch", None) is not None
    return data if isinstance(data, ImageData) and not (data.from_files or prepared) else None
