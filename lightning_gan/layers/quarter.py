"""The size of an image whose sides are halved twice."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_gan.layers.pyramid import pyramid


def quarter(sample_shape: Sequence[int], base_channels: int) -> tuple[int, int]:
    """Return a quarter of height and width.

    Args:
        sample_shape: (C, H, W); H and W multiples of 4.
        base_channels: Channels of a network's feature maps, checked along the way.

    Raises:
        InputError: ``sample_shape`` is no (C, H, W) with H and W multiples of 4, or a number is
            below 1.

    Example:
        >>> quarter((1, 28, 32), base_channels=64)
        (7, 8)
    """
    pyramid(sample_shape, base_channels)  # checks both
    _, height, width = sample_shape
    return height // 4, width // 4
