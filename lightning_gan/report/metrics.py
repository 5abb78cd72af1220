"""metrics.csv: sparse columns of numbers over steps, perhaps of a run that is still writing."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STEP = "step"
LARGEST = 1e300  # beyond it a sum or a difference is infinite


@dataclass(frozen=True)
class Series:
    """One logged number over training.

    Attributes:
        key: For example "loss/generator".
        steps: Shape (N,), ascending.
        values: Shape (N,); NaN where the file says something that is no finite number.
    """

    key: str
    steps: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def last(self) -> float:
        """The newest value."""
        return float(self.values[-1])


@dataclass(frozen=True)
class Metrics:
    """What metrics.csv says.

    Attributes:
        series: By key.
        notes: Sentences on what is missing.
    """

    series: dict[str, Series] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def last_step(self) -> int | None:
        """The last step that logged anything."""
        return max((int(series.steps[-1]) for series in self.series.values()), default=None)


class _WholeLines:
    """The lines of a file that end; the last one of a run that is writing may not."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self.cut = False

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.cut = not line.endswith("\n")
            if not self.cut:
                yield line.replace("\0", "")  # a crashed machine leaves blocks of these


def read_metrics(path: Path) -> Metrics:
    """Read what can be read; a line without an end, or of another length, is left out."""
    if not path.is_file():
        return Metrics(notes=("There is no metrics.csv.",))
    columns: dict[str, tuple[array[float], array[float]]] = {}
    notes = []
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            lines = _WholeLines(file)
            skipped = _fill(columns, csv.reader(lines))
    except (csv.Error, OSError) as error:
        return Metrics(notes=(f"metrics.csv cannot be read: {error}.",))
    if lines.cut:
        notes.append("The last line of metrics.csv is incomplete and left out.")
    if skipped:
        notes.append(f"Damaged lines of metrics.csv, left out: {skipped}.")
    series = {key: _series(key, *points) for key, points in columns.items() if points[0]}
    if not series:
        notes.append("metrics.csv holds no numbers yet.")
    return Metrics(series, tuple(notes))


def _fill(columns: dict[str, tuple[array[float], array[float]]], rows: Iterator[list[str]]) -> int:
    """Append every cell to its column; return how many rows were left out."""
    header = next(rows, [])
    if STEP not in header:
        return 0
    at, skipped = header.index(STEP), 0
    wanted = [(index, key) for index, key in enumerate(header) if key not in (STEP, "epoch")]
    columns.update({key: (array("d"), array("d")) for _, key in wanted})
    for row in rows:
        step = _number(row[at]) if len(row) == len(header) else np.nan
        if not np.isfinite(step):
            skipped += 1
            continue
        for index, key in wanted:
            if row[index]:
                columns[key][0].append(step)
                columns[key][1].append(_number(row[index]))
    return skipped


def _number(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        return np.nan
    return value if abs(value) < LARGEST else np.nan


def _series(key: str, steps: array[float], values: array[float]) -> Series:
    x, y = np.array(steps), np.array(values)
    order = np.argsort(x, kind="stable")
    return Series(key, x[order], y[order])
