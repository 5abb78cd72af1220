"""Images seen through affine maps, by bilinear weights that can be differentiated twice."""

from __future__ import annotations

import torch
from torch import Tensor

HELD = 2**24  # whole numbers up to here are exact as float32


def warp(x: Tensor, inverse: Tensor) -> Tensor:
    r"""Resample images at affinely mapped places; edges are mirrored.

    The output at a place :math:`u` is the input at :math:`A u`, bilinear between the four pixels
    around it. Beyond the border the image goes on as its mirror, border pixels not repeated. Where
    every place falls on a pixel (flips, turns by 90 degrees, whole shifts) values are copied
    exactly. Written as sums of gathered pixels, so that it is linear in the input and has a second
    derivative on every device and in every release of torch; there is none of the map.

    Args:
        x: Images, shape (N, C, H, W).
        inverse: A: maps places (column, row, 1) of the output to those of the input, in pixels from
            the middle of the image, shape (N, 2, 3) or (N, 3, 3), float32 or wider.

    Returns:
        Images, shape (N, C, H, W), in the type of ``x``.
    """
    n, channels, height, width = x.shape
    columns = torch.arange(width, device=x.device, dtype=inverse.dtype) - (width - 1) / 2
    rows = torch.arange(height, device=x.device, dtype=inverse.dtype) - (height - 1) / 2
    a = inverse[:, :2, :, None, None]  # (N, 2, 3, 1, 1)
    places = a[:, :, 0] * columns + a[:, :, 1] * rows[:, None] + a[:, :, 2]  # (N, 2, H, W)
    column, row = places[:, 0] + (width - 1) / 2, places[:, 1] + (height - 1) / 2
    left, top = column.floor(), row.floor()
    right_share, bottom_share = column - left, row - top
    # Floats hold the numbers of so many pixels, and are several times as fast on CPUs.
    whole = inverse.dtype if height * width <= HELD else torch.int64
    of_columns = _mirrored(left, width, whole)
    of_rows = [place * width for place in _mirrored(top, height, whole)]
    flat, warped = x.flatten(2), None
    for start, row_weight in zip(of_rows, (1 - bottom_share, bottom_share), strict=True):
        for step, column_weight in zip(of_columns, (1 - right_share, right_share), strict=True):
            index = (start + step).long().view(n, 1, -1).expand(-1, channels, -1)
            weight = (row_weight * column_weight)[:, None].to(x.dtype)  # (N, 1, H, W)
            part = flat.gather(2, index).view_as(x) * weight
            warped = part if warped is None else warped + part
    assert warped is not None
    return warped


def shift(x: Tensor, columns: Tensor, rows: Tensor, fill: float = 0.0) -> Tensor:
    """Shift images by whole pixels; what comes in from outside is ``fill``.

    Args:
        x: Images, shape (N, C, H, W).
        columns: Pixels to the right, int64 of shape (N,).
        rows: Pixels down, int64 of shape (N,).
        fill: Value of what comes in.

    Returns:
        Images, shape (N, C, H, W).
    """
    height, width = x.shape[-2:]
    row = torch.arange(height, device=x.device) - rows[:, None]  # (N, H)
    column = torch.arange(width, device=x.device) - columns[:, None]  # (N, W)
    inside = ((row >= 0) & (row < height))[:, :, None] & ((column >= 0) & (column < width))[:, None]
    index = row.clamp(0, height - 1)[:, :, None] * width + column.clamp(0, width - 1)[:, None]
    pixels = x.flatten(2).gather(2, index.flatten(1)[:, None].expand(-1, x.shape[1], -1))
    return torch.where(inside[:, None], pixels.view_as(x), fill)


def _mirrored(places: Tensor, size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return pixel numbers in 0..size-1 of whole places and of the next ones.

    On a line mirrored at its last pixels.
    """
    period = max(2 * (size - 1), 1)
    within = places - (places / period).floor_().mul_(period)
    following = within + 1  # at most a period, which is place 0 again
    return (
        torch.minimum(within, period - within).to(dtype),
        torch.minimum(following, period - following).to(dtype),
    )
