"""The sizes an image passes through when a network halves or doubles it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightning_gan.errors import InputError

SMALLEST = 4
MAX_WIDENING = 8


@dataclass(frozen=True)
class Pyramid:
    """Sizes and channels from the smallest feature map up to the image.

    Attributes:
        height: Height of the smallest map.
        width: Width of the smallest map.
        channels: Channels of the feature maps, smallest map first: each doubling of the size halves
            them, and the widest has at most eight times the base.
        halved: Whether the image is halved at all.
    """

    height: int
    width: int
    channels: tuple[int, ...]
    halved: bool

    @property
    def step(self) -> tuple[int, int, int]:
        """Kernel, stride and padding between two maps, and between the largest and the image."""
        return (4, 2, 1) if self.halved else (3, 1, 1)

    @property
    def features(self) -> int:
        """Number of values in the smallest map."""
        return self.channels[0] * self.height * self.width


def pyramid(sample_shape: Sequence[int], base_channels: int) -> Pyramid:
    """Halve height and width while both are even and the halves are 4 or more.

    An image of 4 pixels a side is not halved; its one feature map has the image's own size.

    Args:
        sample_shape: (C, H, W); H and W multiples of 4.
        base_channels: Channels of the largest feature map.

    Raises:
        InputError: ``sample_shape`` is no (C, H, W) with H and W multiples of 4, or a number is
            below 1.

    Example:
        >>> pyramid((1, 28, 28), 64)
        Pyramid(height=7, width=7, channels=(128, 64), halved=True)
    """
    shape = tuple(sample_shape)
    if len(shape) != 3 or min(shape) < 1 or shape[1] % SMALLEST or shape[2] % SMALLEST:
        raise InputError(
            f"sample_shape must be (channels, height, width) with height and width multiples of "
            f"{SMALLEST}, got {shape}; resize the images or use a network that is not convolutional"
        )
    if base_channels < 1:
        raise InputError(f"base_channels must be at least 1, got {base_channels}")
    _, height, width = shape
    levels = 0
    while height % 2 == width % 2 == 0 and min(height, width) >= 2 * SMALLEST:
        height, width, levels = height // 2, width // 2, levels + 1
    widenings = [min(2**level, MAX_WIDENING) for level in range(max(levels, 1))]
    channels = tuple(base_channels * widening for widening in reversed(widenings))
    return Pyramid(height, width, channels, halved=levels > 0)
