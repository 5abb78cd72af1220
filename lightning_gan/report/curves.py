"""Numbers over steps as SVG: coordinates and labels; the page's template writes the elements."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lightning_gan.report.axes import (
    Axis,
    Frame,
    Tick,
    step_axis,
    step_ticks,
    value_axis,
    value_ticks,
)
from lightning_gan.report.metrics import Series
from lightning_gan.report.thinning import spread

COLORS = 8
LARGE, SMALL = Frame(480, 220), Frame(330, 140)
PIECES = 250  # a long curve keeps the extremes of so many pieces
TREND_FROM, TREND_PIECES = 200, 60
DOTS_TO = 40  # shorter curves show their points
MOST_PANELS = 60
# Keys below these share one panel, for they share a scale.
SHARED = ("loss", "logits", "grad_norm", "val/loss")
ORDER = ("loss", "logits", "grad_norm", "regularizer", "val", "health")
HIDDEN = ("progress",)  # straight lines


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        name: Its entry in the legend.
        color: Number of its color.
        path: SVG path of the values; faint where there is a trend.
        trend: SVG path of means, or "".
        dots: SVG path of the points of a short curve, or "".
        steps: The steps, separated by commas, for the page's script.
        values: The values, likewise; empty where there is a gap.
        last: The newest value.
    """

    name: str
    color: int
    path: str
    trend: str
    dots: str
    steps: str
    values: str
    last: str


@dataclass(frozen=True)
class Panel:
    """Curves that share their axes.

    Attributes:
        title: What they show.
        frame: Size of the drawing.
        lines: The curves.
        first: Step at the left edge.
        last: Step at the right edge.
        x_ticks: Of the steps.
        y_ticks: Of the values.
        notes: What cannot be seen.
    """

    title: str
    frame: Frame
    lines: tuple[Line, ...]
    first: float
    last: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    notes: tuple[str, ...]


def panels(
    series: Mapping[str, Series], without: Container[str] = ()
) -> tuple[list[Panel], list[str]]:
    """Return one panel for each group of keys that share a scale, and notes on what is left out.

    Args:
        series: By key.
        without: Keys that are drawn elsewhere.
    """
    groups: dict[str, list[Series]] = {}
    quiet = []
    for key in sorted(series, key=_interest):
        top, parent = key.partition("/")[0], key.rpartition("/")[0]
        if top == "health" and not series[key].values.any():
            quiet.append(key)
        elif top not in HIDDEN and key not in without:
            groups.setdefault(parent if parent in SHARED else key, []).append(series[key])
    last = max((float(one.steps[-1]) for one in series.values()), default=0.0)
    shown = list(groups.items())[:MOST_PANELS]
    notes = [f"Always 0, and not drawn: {', '.join(quiet)}."] if quiet else []
    if len(groups) > MOST_PANELS:
        notes.append(f"{len(groups) - MOST_PANELS} more curves are in metrics.csv.")
    return [panel(title, members, LARGE, (0.0, last)) for title, members in shown], notes


def panel(title: str, series: Sequence[Series], frame: Frame, reach: tuple[float, float]) -> Panel:
    """Return one panel of curves.

    Args:
        title: What they show.
        series: At least one.
        frame: Size of the drawing.
        reach: The first and the last step of the axis.
    """
    values = np.concatenate([one.values for one in series])
    x = step_axis(*reach, frame)
    y, notes = value_axis(values[np.isfinite(values)], frame)
    missing = int(np.sum(~np.isfinite(values)))
    if missing:
        notes.append(f"Not finite: {missing:,} of {len(values):,} values.")
    lines = tuple(
        _line(one.key.removeprefix(f"{title}/"), color % COLORS, one, x, y)
        for color, one in enumerate(series)
    )
    ticks = step_ticks(x), value_ticks(y)
    return Panel(title, frame, lines, x.low, x.high, *ticks, tuple(notes))


def number(value: float) -> str:
    """Return a number as the page shows it.

    Example:
        >>> number(0.123456), number(1234567.0), number(float("nan"))
        ('0.1235', '1.235e+06', 'not finite')
    """
    return f"{value:.4g}" if np.isfinite(value) else "not finite"


def _interest(key: str) -> tuple[int, str]:
    group = key.partition("/")[0]
    return (ORDER.index(group) if group in ORDER else len(ORDER), key)


def _line(name: str, color: int, series: Series, x: Axis, y: Axis) -> Line:
    kept = _extremes(series.values)
    steps, values = series.steps[kept], series.values[kept]
    at_x, at_y = x.place(steps), y.place(values)
    few = len(values) <= DOTS_TO
    return Line(
        name=name,
        color=color,
        path=_path(at_x, at_y),
        trend=_trend(series, x, y),
        dots=_dots(at_x, at_y) if few else "",
        steps=",".join(f"{step:.0f}" for step in steps),
        values=",".join(f"{value:.5g}" if np.isfinite(value) else "" for value in values),
        last=number(series.last),
    )


def _extremes(values: NDArray[np.float64]) -> list[int]:
    """Return the places that a curve keeps: of each piece the lowest, the highest and a gap."""
    if len(values) <= 2 * PIECES:
        return list(range(len(values)))
    edges = spread(len(values), PIECES)
    kept = {0, len(values) - 1}
    for start, end in pairwise(edges):
        piece = values[start:end]
        known = np.isfinite(piece)
        if known.any():
            kept |= {start + int(np.nanargmin(piece)), start + int(np.nanargmax(piece))}
        if not known.all():
            kept.add(start + int(np.argmin(known)))
    return sorted(kept)


def _trend(series: Series, x: Axis, y: Axis) -> str:
    """Return the path of means of equal pieces of a long curve."""
    if len(series.values) < TREND_FROM:
        return ""
    pieces = np.array_split(np.arange(len(series.values)), TREND_PIECES)
    known = [piece[np.isfinite(series.values[piece])] for piece in pieces]
    steps = np.array([series.steps[piece].mean() for piece in pieces])
    means = np.array([series.values[piece].mean() if len(piece) else np.nan for piece in known])
    return _path(x.place(steps), y.place(means))


def _path(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """Return an SVG path that is interrupted where y is NaN; a lone point is a dot."""
    words, pen = [], "M"
    for across, down in zip(x.tolist(), y.tolist(), strict=True):
        if np.isnan(down):
            pen = "M"
            continue
        words.append(f"{pen}{across:.1f} {down:.1f}" + ("h0" if pen == "M" else ""))
        pen = "L"
    return "".join(words)


def _dots(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    points = zip(x.tolist(), y.tolist(), strict=True)
    return "".join(f"M{across:.1f} {down:.1f}h0" for across, down in points if not np.isnan(down))
