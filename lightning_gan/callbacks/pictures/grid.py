"""Many samples in one picture, row by row."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchvision.utils import make_grid

MIN_WIDTH = 300  # pixels; below it an 8x8 digit is not readable
PADDING = 2  # pixels around each sample
SEPARATOR = 8  # pixels of white between generated and real


def grid(samples: Tensor, columns: int) -> Tensor:
    """Arrange samples (N, C, H, W) in [-1, 1], row by row; return a picture (3, H', W') in [0, 1].

    Of samples with two channels the first is shown, of more than three the first three. Small
    samples are enlarged by a whole factor.

    Example:
        >>> grid(torch.zeros(4, 1, 8, 8), columns=2).shape
        torch.Size([3, 310, 310])
    """
    channels, width = samples.shape[1], samples.shape[3]
    images = samples.float()[:, : 3 if channels >= 3 else 1].add(1).div(2).clamp(0, 1)
    factor = math.ceil(MIN_WIDTH / (columns * width))
    images = images.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
    picture: Tensor = make_grid(images, nrow=columns, padding=PADDING, pad_value=0.5)
    return picture


def separated(picture: Tensor, dim: int, cells: int, after: int) -> Tensor:
    """Put a white line between two cells of a grid of two or more samples.

    Args:
        picture: What :func:`grid` returned, shape (3, H, W).
        dim: 1 for a line across, 2 for one from top to bottom.
        cells: Rows (columns) of the grid.
        after: How many of them come before the line.

    Example:
        >>> separated(grid(torch.zeros(4, 1, 8, 8), columns=2), dim=1, cells=2, after=1).shape
        torch.Size([3, 318, 310])
    """
    place = (picture.shape[dim] - PADDING) // cells * after + PADDING // 2
    before, behind = picture.tensor_split([place], dim)
    size = list(picture.shape)
    size[dim] = SEPARATOR
    return torch.cat([before, picture.new_ones(size), behind], dim)
