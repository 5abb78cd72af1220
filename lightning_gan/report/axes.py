"""Scales of a drawing: from steps and values to places, and the labels along the edges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator
from numpy.typing import NDArray

LOG_FROM = 100  # ratio of the largest value to the smallest, from which the axis is logarithmic
OUTLIERS_FROM = 8  # whole range by the central one, from which the axis leaves out the extremes
NICE = [1, 2, 2.5, 5, 10]  # distances between labels, times a power of ten


@dataclass(frozen=True)
class Frame:
    """A drawing's size, in units of its own, and the edges of the axes in it."""

    width: int
    height: int
    left: int = 52

    @property
    def right(self) -> int:
        """The right edge of the axes."""
        return self.width - 8

    @property
    def top(self) -> int:
        """Their upper edge."""
        return 10

    @property
    def bottom(self) -> int:
        """Their lower edge, above the labels."""
        return self.height - 26


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in units of the drawing, and its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """A scale from values to units of the drawing."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def place(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where values lie; those beyond the ends lie on them, NaN stays NaN."""
        inside = np.clip(values, self.low, self.high)
        low, high, at = self.low, self.high, inside
        if self.is_log:
            low, high, at = np.log10(low), np.log10(high), np.log10(inside)
        return np.asarray(self.start + (at - low) / (high - low) * (self.end - self.start))


def step_axis(first: float, last: float, frame: Frame) -> Axis:
    """Return the scale of the steps."""
    return Axis(*_widened(first, last), frame.left, frame.right)


def value_axis(values: NDArray[np.float64], frame: Frame) -> tuple[Axis, list[str]]:
    """Return the scale of the values, and a sentence where it is no plain one.

    Args:
        values: Finite ones, shape (N,), N may be 0.
        frame: Size of the drawing.
    """
    ends = frame.bottom, frame.top
    if not len(values):
        return Axis(0.0, 1.0, *ends), []
    low, high = float(values.min()), float(values.max())
    least, most = (float(value) for value in np.percentile(values, (1, 99)))
    if low > 0 and most / least > LOG_FROM:
        return Axis(low / 1.2, high * 1.2, *ends, is_log=True), ["Logarithmic axis."]
    if high - low <= OUTLIERS_FROM * (most - least) or least == most:
        return Axis(*_padded(low, high), *ends), []
    note = f"The axis leaves out extremes: the values reach from {low:.4g} to {high:.4g}."
    return Axis(*_padded(least, most, share=0.5), *ends), [note]


def step_ticks(axis: Axis) -> tuple[Tick, ...]:
    """Return labels of steps, such as "200k"."""
    values = MaxNLocator(5, integer=True, steps=NICE).tick_values(axis.low, axis.high)
    return _ticks(axis, values, EngFormatter(sep=""))


def value_ticks(axis: Axis) -> tuple[Tick, ...]:
    """Return labels of values."""
    if axis.is_log:
        values = LogLocator(numticks=6).tick_values(axis.low, axis.high)
        return _ticks(axis, values, lambda value: f"{value:g}")
    values = MaxNLocator(5, steps=NICE).tick_values(axis.low, axis.high)
    step = abs(float(values[1] - values[0]))
    exact = [0.0 if abs(value) < step / 2 else float(value) for value in values]
    return _ticks(axis, exact, lambda value: f"{value:.4g}")


def _padded(low: float, high: float, share: float = 0.06) -> tuple[float, float]:
    low, high = _widened(low, high)
    return low - share * (high - low), high + share * (high - low)


def _widened(low: float, high: float) -> tuple[float, float]:
    """Return a range that has a width."""
    if high - low > 1e-6 * max(abs(low), abs(high)):
        return low, high
    half = 0.5 * abs(low or 1)
    return low - half, high + half


def _ticks(axis: Axis, values: Iterable[float], label: Callable[[float], str]) -> tuple[Tick, ...]:
    inside = np.array([value for value in values if axis.low <= value <= axis.high])
    return tuple(
        Tick(round(at, 1), label(value))
        for at, value in zip(axis.place(inside).tolist(), inside.tolist(), strict=True)
    )
