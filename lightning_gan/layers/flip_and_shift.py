"""The small change of an image that leaves it what it is."""

from __future__ import annotations

import torch
from torch import Tensor


def flip_and_shift(x: Tensor, pixels: int, flip: bool = True) -> Tensor:
    """Flip each image with probability 1/2, and shift it by up to ``pixels`` both ways.

    What comes in at an edge is the image reflected there.

    Args:
        x: Images, shape (N, C, H, W).
        pixels: Largest shift, below H and W. Each image draws its own, uniform over whole numbers.
        flip: Whether images are flipped, left to right.

    Returns:
        The same shape.

    Example:
        >>> flip_and_shift(torch.ones(2, 3, 8, 8), pixels=4).shape
        torch.Size([2, 3, 8, 8])
    """
    n, _, height, width = x.shape
    rows = _shifted(n, height, pixels, x.device)
    columns = _shifted(n, width, pixels, x.device)
    if flip:
        flips = torch.rand(n, 1, device=x.device) < 0.5
        columns = torch.where(flips, width - 1 - columns, columns)
    samples = torch.arange(n, device=x.device)[:, None, None]
    # Indexed dimensions with a slice between them come first: (N, H, W, C).
    return x[samples, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _shifted(n: int, size: int, pixels: int, device: torch.device) -> Tensor:
    """Return for each image which line comes into the place of each line, shape (n, size)."""
    shift = torch.randint(-pixels, pixels + 1, (n, 1), device=device)
    place = (torch.arange(size, device=device) + shift).abs()
    return size - 1 - (size - 1 - place).abs()
