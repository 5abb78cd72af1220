"""Score cards as tables and curves; those that were measured alike stand together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightning_gan.errors import InputError
from lightning_gan.evaluation.comparison import compare
from lightning_gan.evaluation.scores import direction, headline, shown_score
from lightning_gan.report.curves import SMALL, Panel, number, panel
from lightning_gan.report.metrics import Series
from lightning_gan.report.records import Measured
from lightning_gan.report.settings_tree import Setting, tree

MOST_COLUMNS = 8
MOST_ROWS = 200
MOST_PANELS = 40
MOST_BARS = 200


@dataclass(frozen=True)
class Bar:
    """One bar of a chart.

    Attributes:
        label: What is counted.
        value: How often.
        height: Share of the highest bar, in percent.
    """

    label: str
    value: str
    height: float


@dataclass(frozen=True)
class ScoreRow:
    """One score.

    Attributes:
        name: For example "fid".
        better: Which direction is better, or "".
        cells: Its value on each card, with its interval where there is one.
    """

    name: str
    better: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Cards that were measured alike.

    Attributes:
        columns: The newest 8 cards, the very newest first.
        total: How many cards there are.
        rows: The scores.
        panels: Each score over steps, where there are several.
        bars: Details of the newest card that are lists of numbers, by name.
        details: Its other details; None where they are too much to show.
        protocol: What the scores depend on; None where it is too much to show.
        differs: What tells this protocol from those of the other tables.
    """

    columns: tuple[Measured, ...]
    total: int
    rows: tuple[ScoreRow, ...]
    panels: tuple[Panel, ...]
    bars: tuple[tuple[str, tuple[Bar, ...]], ...]
    details: tuple[Setting, ...] | None
    protocol: tuple[Setting, ...] | None
    differs: str


def tables(cards: Sequence[Measured]) -> list[Table]:
    """Return a table for each way of measuring, that of the newest card first.

    Args:
        cards: The newest last.
    """
    groups: list[list[Measured]] = []
    for measured in reversed(cards):
        alike = next((group for group in groups if _alike(group[0], measured)), None)
        if alike is None:
            groups.append([measured])
        else:
            alike.append(measured)
    protocols = [_flat(group[0].card.protocol) for group in groups]
    return [_table(group, _difference(place, protocols)) for place, group in enumerate(groups)]


def highlights(measured: Measured, most: int) -> list[tuple[str, str, str]]:
    """Return the first scores of a card: name, value, and which direction is better."""
    scores = measured.card.scores
    finite = [name for name in headline(scores) if math.isfinite(scores[name])]
    return [(name, number(scores[name]), _better(name)) for name in finite[:most]]


def said_of(value: Any) -> str:
    """Return any value as the page shows it.

    Example:
        >>> said_of(12.34567), said_of(60000), said_of(None), said_of("n/a")
        ('12.35', '60,000', 'null', 'n/a')
    """
    if value is None:
        return "null"
    if not _is_number(value):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else number(value)


def _alike(one: Measured, other: Measured) -> bool:
    try:
        compare(one.card, other.card)
    except (InputError, RecursionError):
        return False
    return True


def _table(cards: Sequence[Measured], differs: str) -> Table:
    newest = cards[0].card
    names = list(dict.fromkeys(name for one in cards for name in headline(one.card.scores)))
    columns = tuple(cards[:MOST_COLUMNS])
    rows = [
        ScoreRow(name, _better(name), tuple(shown_score(name, one.card.scores) for one in columns))
        for name in names[:MOST_ROWS]
    ]
    lists = {key: value for key, value in newest.details.items() if _is_histogram(value)}
    others = {key: value for key, value in newest.details.items() if key not in lists}
    return Table(
        columns=columns,
        total=len(cards),
        rows=tuple(rows),
        panels=tuple(_panels(cards, names)),
        bars=tuple((key, _bars(value)) for key, value in lists.items()),
        details=tree(others),
        protocol=tree(newest.protocol),
        differs=differs,
    )


def _better(name: str) -> str:
    better = direction(name)
    return "" if better == "neither" else better


def _panels(cards: Sequence[Measured], names: Iterable[str]) -> list[Panel]:
    found = [series for series in (_series(cards, name) for name in names) if series is not None]
    last = max((float(series.steps[-1]) for series in found), default=0.0)
    return [panel(series.key, [series], SMALL, (0.0, last)) for series in found[:MOST_PANELS]]


def _series(cards: Sequence[Measured], name: str) -> Series | None:
    """Return a score over steps; None where it was not measured at two steps."""
    points = [
        (one.step, one.card.scores[name])
        for one in reversed(cards)
        if one.step is not None and name in one.card.scores
    ]
    if len({step for step, _ in points}) < 2:
        return None
    steps, values = np.array(points, dtype=np.float64).T
    return Series(name, steps, np.where(np.isfinite(values), values, np.nan))


def _bars(values: Sequence[float]) -> tuple[Bar, ...]:
    highest = max(values) or 1
    return tuple(
        Bar(str(place), said_of(value), round(100 * value / highest, 1))
        for place, value in enumerate(values)
    )


def _is_histogram(value: Any) -> bool:
    if not isinstance(value, list) or not 1 < len(value) <= MOST_BARS:
        return False
    return all(_is_number(item) and item >= 0 for item in value)


def _is_number(value: Any) -> bool:
    """Whether a value is a number that arithmetic can take: no truth value, not infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _flat(nested: Mapping[str, Any]) -> dict[str, Any]:
    """Return a protocol with dotted keys; an empty one where it is too much to compare."""
    return {} if tree(nested) is None else dict(_leaves(nested, ""))


def _leaves(nested: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, Any]]:
    for key, value in nested.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _difference(place: int, protocols: Sequence[Mapping[str, Any]]) -> str:
    """Return the settings of a protocol that are not the same in all of them."""
    ours = protocols[place]
    told = [
        f"{key} {said_of(value)[:80]}"
        for key, value in ours.items()
        if any(other.get(key) != value for other in protocols)
    ]
    return ", ".join(told[:12])
