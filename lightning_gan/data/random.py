"""Random samples for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lightning_gan.data.base import ImageData, Images, Split
from lightning_gan.errors import InputError


class RandomImages(ImageData):
    """Uniform noise of any shape, with uniform labels; a function of the seed alone.

    There are as many test samples as training samples, and other ones.

    Args:
        shape: Shape of one sample, (C, H, W) or any other.
        n: Number of samples in each split.
        num_classes: Number of classes K, or None for unlabeled samples.
        **options: Arguments of :class:`~lightning_gan.data.ImageData`; ``seed`` keys the samples
            as well as their order.

    Raises:
        InputError: A size is below 1, or ``image_size`` is given for samples that are no images.
    """

    def __init__(
        self,
        shape: Sequence[int] = (1, 8, 8),
        n: int = 1024,
        num_classes: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not shape or min(*shape, n, 1 if num_classes is None else num_classes, 1) < 1:
            raise InputError(
                f"shape, n and num_classes must be at least 1, "
                f"got {list(shape)}, {n} and {num_classes}"
            )
        if self.image_size is not None and len(shape) != 3:
            raise InputError(
                f"image_size is for images of shape [C, H, W], got shape {list(shape)}: "
                "leave image_size out"
            )
        self.n = n
        self._shape = tuple(shape)
        self._classes = num_classes

    @property
    def native_shape(self) -> tuple[int, ...]:
        """Shape of one sample before resizing."""
        return self._shape

    @property
    def native_classes(self) -> int | None:
        """Number of classes."""
        return self._classes

    def load(self, split: Split) -> Images:
        """Draw one split."""
        generator = torch.Generator().manual_seed(2 * self.seed + (split == "test"))
        shape = (self.n, *self._shape)
        samples = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
        if self._classes is None:
            return samples, None
        return samples, torch.randint(0, self._classes, (self.n,), generator=generator)
