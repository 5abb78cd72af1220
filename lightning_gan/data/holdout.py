"""Which images of a set without a split of its own are held out for validation and testing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lightning_gan.data.base import Split
from lightning_gan.errors import InputError


class Holdout:
    """A fraction of n images, chosen once and for all: it depends on the arguments alone.

    Every class keeps an image to train on: where chance would hold out all of one, images of other
    classes take their places; where there are none, fewer images are held out.

    Args:
        n: Number of images.
        fraction: Of the images, in [0, 1); at least one image is held out, and one is not. With 0
            both splits have all images.
        labels: Class of each image, int64 of shape (n,), or None.

    Attributes:
        size: Number of images held out.
        wanted: Number of images that the fraction asks for.
    """

    def __init__(self, n: int, fraction: float, labels: Tensor | None = None) -> None:
        self.n = n
        self.wanted = min(max(1, round(n * fraction)), n - 1) if fraction else 0
        order = np.random.default_rng(0).permutation(n)
        classes = np.zeros(n, np.int64) if labels is None else labels.numpy()
        # The image of each class that comes last is the one to train on.
        _, last = np.unique(classes[order][::-1], return_index=True)
        free = np.ones(n, bool)
        free[n - 1 - last] = False
        self._held_out = order[free][: self.wanted]
        self.size = len(self._held_out)

    @staticmethod
    def check(fraction: float) -> None:
        """Refuse a fraction that is out of range, before images are counted.

        Raises:
            InputError: It is.
        """
        if not 0 <= fraction < 1:
            raise InputError(f"holdout must be at least 0 and below 1, got {fraction}")

    def shortage(self) -> str | None:
        """Return what is said where fewer images are held out than was asked for, or None."""
        if self.size == self.wanted:
            return None
        instead = f"{self.size} are held out" if self.size else "validation takes all images, too"
        return (
            f"holding out {self.wanted} of {self.n} images would leave some classes no image to "
            f"train on: {instead}"
        )

    def places(self, split: Split) -> Tensor:
        """Return the images of a split in ascending order, int64."""
        if self.size == 0:
            return torch.arange(self.n)
        chosen = np.zeros(self.n, bool)
        chosen[self._held_out] = True
        return torch.from_numpy(np.flatnonzero(chosen if split == "test" else ~chosen))
