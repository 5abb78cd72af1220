"""Which images of a set without a split of its own are held out for validation and testing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lightning_gan.data.base import Split
from lightning_gan.errors import InputError


class Holdout:
    """A fraction of n images, chosen once and for all: it depends on the two numbers alone.

    Args:
        n: Number of images.
        fraction: Of the images, in [0, 1); at least one image is held out, and one is not. With 0
            both splits have all images.

    Attributes:
        size: Number of images held out.
    """

    def __init__(self, n: int, fraction: float) -> None:
        self.n = n
        self.size = min(max(1, round(n * fraction)), n - 1) if fraction else 0

    @staticmethod
    def check(fraction: float) -> None:
        """Refuse a fraction that is out of range, before images are counted.

        Raises:
            InputError: It is.
        """
        if not 0 <= fraction < 1:
            raise InputError(f"holdout must be at least 0 and below 1, got {fraction}")

    def places(self, split: Split) -> Tensor:
        """Return the images of a split in ascending order, int64."""
        if self.size == 0:
            return torch.arange(self.n)
        order = np.random.default_rng(0).permutation(self.n)
        part = order[: self.size] if split == "test" else order[self.size :]
        return torch.from_numpy(np.sort(part)).long()
