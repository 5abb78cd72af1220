"""Labels as they were written and the numbers 0..K-1 of the classes that there are."""

from __future__ import annotations

import torch
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor


def numbered(labels: Tensor, where: str) -> tuple[list[int], Tensor]:
    """Number the classes that occur from 0, without gaps; a warning tells where that changes any.

    A number that no image has would be a class that a GAN learns nothing about: 1 to 10 are ten
    classes, not eleven.

    Args:
        labels: int64, at least 0, shape (N,).
        where: Whose labels they are, for the warning.

    Returns:
        The label of each class in ascending order, and the classes' numbers, int64 in 0..K-1 of
        shape (N,).
    """
    found, numbers = torch.unique(labels, return_inverse=True)
    values: list[int] = found.tolist()
    if values != list(range(len(values))):
        moved = [f"{value} becomes {place}" for place, value in enumerate(values) if value != place]
        shown = ", ".join(moved if len(moved) <= 4 else [*moved[:2], "...", moved[-1]])
        rank_zero_warn(
            f"the labels of {where} are {_ranges(values)}: these {len(values)} classes are "
            f"numbered from 0 without gaps ({shown})"
        )
    return values, numbers


def _ranges(values: list[int]) -> str:
    """Return ascending numbers in short: '0..9, 255'."""
    parts: list[list[int]] = []
    for value in values:
        if parts and parts[-1][-1] == value - 1:
            parts[-1][1:] = [value]
        else:
            parts.append([value])
    shown = ["..".join(map(str, part)) for part in parts]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:7], "...", shown[-1]])
