"""Training images to show beside generated ones."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_gan.data.base import ImageData
from lightning_gan.game.checks import split_batch
from lightning_gan.metrics.features import to_uint8

Images = tuple[Tensor, Tensor | None]
ROOM = 10**9  # bytes, one for each pixel and channel


class RealImages:
    """The training images that a data module holds in memory; else the first that pass by.

    A loader that is not ours is never iterated: its next batches would be others.

    Args:
        limit: Images to keep of those that pass by, within one epoch and ``ROOM`` bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._epoch: int | None = None
        self._x: list[Tensor] = []
        self._y: list[Tensor] = []

    def start(self) -> None:
        """Forget the images of an earlier run."""
        self._epoch, self._x, self._y = None, [], []

    def see(self, trainer: pl.Trainer, batch: Any) -> None:
        """Keep the images of a training batch ``(x, y)`` or ``x`` where they are needed."""
        if _holds_images(trainer.datamodule):  # type: ignore[attr-defined]
            return
        if self._epoch is None:
            self._epoch = trainer.current_epoch
        x, y = split_batch(batch)
        limit = min(self.limit, ROOM // x[0].numel())
        room = limit - sum(map(len, self._x))
        if room > 0 and trainer.current_epoch == self._epoch:
            self._x.append(to_uint8(x[:room].detach()).cpu())
            if isinstance(y, Tensor):
                self._y.append(y[:room].cpu())

    def get(self, trainer: pl.Trainer) -> Images | None:
        """Return images, uint8 (N, C, H, W), and labels, N first, or None; None while N is 0."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if _holds_images(data):
            images: Images = data.images("train")
            return images
        if not self._x:
            return None
        return torch.cat(self._x), torch.cat(self._y) if self._y else None


def _holds_images(data: Any) -> bool:
    """Whether all training images are in memory."""
    return isinstance(data, ImageData) and not data.from_files
