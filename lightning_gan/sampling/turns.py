"""Classes in turns, and how their samples are laid out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

GRID_COLUMNS = 8
MOST_CLASS_COLUMNS = 20


def in_turns(labels: Sequence[int] | None, n: int) -> Tensor | None:
    """Return classes of n samples, each in its turn, int64 (n,); None where none are given.

    Example:
        >>> in_turns([3, 5], 5).tolist()
        [3, 5, 3, 5, 3]
    """
    return None if labels is None else torch.tensor(labels)[torch.arange(n) % len(labels)]


def grid_columns(labels: Sequence[int] | None, n: int) -> int:
    """Return the columns of a picture of n samples: one for each class that is asked for."""
    wanted = len(labels or ())
    return wanted if 1 < wanted <= MOST_CLASS_COLUMNS else min(n, GRID_COLUMNS)
