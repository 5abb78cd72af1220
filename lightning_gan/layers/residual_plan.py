"""Widths of residual networks for images of any size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from lightning_gan.errors import InputError
from lightning_gan.layers.attention import SelfAttention2d, check_attention
from lightning_gan.layers.pyramid import pyramid
from lightning_gan.layers.residual import DownBlock

SMALL = 32  # images of at most so many pixels a side have maps of one width
WIDEST = 16  # times the base


def doublings(sample_shape: Sequence[int]) -> tuple[int, int, int]:
    """Return height and width of the smallest map, and how often it is doubled.

    Sides are halved while both are even and their halves are 4 or more.

    Args:
        sample_shape: (C, H, W); H and W multiples of 4, 8 or more.

    Raises:
        InputError: It is of another form.

    Example:
        >>> doublings((1, 28, 28)), doublings((3, 128, 128))
        ((7, 7, 2), (4, 4, 5))
    """
    sizes = pyramid(sample_shape, 1)
    if not sizes.halved:
        raise InputError(
            "sample_shape must be (channels, height, width) with height and width of 8 or more, "
            f"got {tuple(sample_shape)}"
        )
    return sizes.height, sizes.width, len(sizes.channels)


def is_small(sample_shape: Sequence[int]) -> bool:
    """Whether no side is above 32 pixels."""
    return max(sample_shape[1:]) <= SMALL


def check_width(base_channels: int) -> None:
    """Check the width of a network.

    Raises:
        InputError: It is below 1.
    """
    if base_channels < 1:
        raise InputError(f"base_channels must be at least 1, got {base_channels}")


def check_latent(latent_dim: int, needed: bool = True) -> None:
    """Check the size of a latent.

    Args:
        latent_dim: Z.
        needed: Whether 0 is too small.

    Raises:
        InputError: It is too small.
    """
    if latent_dim < needed:
        least = "at least 1" if needed else "0 or more"
        raise InputError(f"latent_dim must be {least}, got {latent_dim}")


def widening(base_channels: int, levels: int) -> list[int]:
    """Return channels that double from level to level, to at most 16 times the base."""
    return [base_channels * min(2**level, WIDEST) for level in range(levels)]


def down_blocks(
    channels: int,
    height: int,
    widths: Sequence[int],
    halvings: int,
    wide: bool,
    attention: int | None,
) -> nn.Sequential:
    """Return the blocks of a discriminator, self-attention among them.

    Args:
        channels: Channels of the image.
        height: Its height.
        widths: Channels of each block's output.
        halvings: How many blocks, from the first on, halve the sides.
        wide: Whether the channels between a block's convolutions are those of its output; False:
            those of its input, but for the first block.
        attention: Height of the map that attends to itself; None: none does.

    Raises:
        InputError: No block has a map of that height.
    """
    check_attention(attention, [height // 2 ** (level + 1) for level in range(halvings)])
    layers: list[nn.Module] = []
    for level, width in enumerate(widths):
        halve, first = level < halvings, level == 0
        hidden = width if wide or first else channels
        layers.append(DownBlock(channels, width, hidden, halve, first))
        if halve and height // 2 ** (level + 1) == attention:
            layers.append(SelfAttention2d(width))
        channels = width
    return nn.Sequential(*layers)
