"""How the module that is scored reads the batches of its data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lightning_gan.game.batches import prepare_batch
from lightning_gan.game.conditions import class_entry
from lightning_gan.game.gan import GAN
from lightning_gan.types import (
    Batch,
    SampleRange,
    columns_in,
    map_columns,
    map_tensors,
    tensors_in,
)

ROOM = 10**9  # bytes of conditions that are kept


def _never(y: Any) -> bool:
    return False


class Reader(NamedTuple):
    """How batches become samples, conditions and classes, and where the samples lie.

    Attributes:
        read: Returns what the game reads of a batch.
        prepares: Whether that is another thing than the samples and labels in it.
        hands_on: Whether a generated sample is asked for by a condition such as that of a batch.
        entry: The entry of a condition that is a dict in which the classes are, or None.
        sample_range: Range of the samples.
    """

    read: Callable[[Any], Batch] = prepare_batch
    prepares: bool = False
    hands_on: Callable[[Any], bool] = _never
    entry: str | None = None
    sample_range: SampleRange = None


def reader_of(gan: Any, data: Any = None) -> Reader:
    """Return how a module reads its data; of a module that is none of ours, samples or pairs.

    Args:
        gan: The module.
        data: The data module. The range that it declares is that of its samples, unless the module
            makes others of them and declares theirs.
    """
    declared: SampleRange = getattr(data, "sample_range", None)
    if not isinstance(gan, GAN):
        return Reader(sample_range=declared)
    prepares = gan.prepare_batch is not None
    if declared is None or (prepares and gan.sample_range is not None):
        declared = gan.sample_range
    return Reader(gan.read, prepares, gan.conditions.hands_on, class_entry(gan.generator), declared)


class KeptConditions:
    """Conditions of the first samples, as many as are wanted and there is ``ROOM`` for.

    Args:
        wanted: How many at most.
    """

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._found = 0
        self._tree: tuple[Any, int] = (None, 0)  # of the first batch, and its size
        self._columns: list[list[Any]] = []  # of each batch

    def add(self, y: Any, n: int) -> None:
        """Keep the conditions of a batch of n samples, as far as there is room."""
        if not self._columns:
            self._tree = (y, n)
            size = sum(x.numel() * x.element_size() for x in tensors_in(y)) / n
            self._wanted = min(self._wanted, max(1, int(ROOM / max(size, 1))))
        room = self._wanted - self._found
        if room > 0:
            columns = [column[:room] for column in columns_in(y, n)]
            self._columns.append(map_tensors(Tensor.cpu, columns))
            self._found += min(n, room)

    def count(self, n: int | None) -> int:
        """Return how many there are of the first n samples."""
        return self._found if n is None else min(n, self._found)

    def joined(self, n: int | None) -> Any:
        """Return those of the first n samples, N first; None where there are none."""
        if not self._columns:
            return None
        together = iter([_together(parts)[:n] for parts in zip(*self._columns, strict=True)])
        return map_columns(lambda _: next(together), *self._tree)


def _together(parts: tuple[Any, ...]) -> Any:
    """Return tensors, arrays or lists one after the other."""
    if isinstance(parts[0], list):
        return [value for part in parts for value in part]
    return (torch.cat if isinstance(parts[0], Tensor) else np.concatenate)(parts)
