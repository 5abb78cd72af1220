"""Score cards side by side, where they were measured alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightning_gan.errors import InputError
from lightning_gan.evaluation import scores as scores_of
from lightning_gan.evaluation.card import ScoreCard
from lightning_gan.files.columns import columns

# What may differ between cards that are compared: the generators themselves, and chance.
_NOTED = ("generator.", "seed", "versions.")
_ABSENT = "absent"
_DIGITS = 12  # of a hash, enough to tell two apart


@dataclass(frozen=True)
class Row:
    """One score of all cards.

    Attributes:
        name: The score.
        values: Its value on each card; None where it was not measured.
        better: Place of the best card, or None.
        overlaps: Whether the best card's interval reaches into another's.
    """

    name: str
    values: tuple[float | None, ...]
    better: int | None
    overlaps: bool


@dataclass(frozen=True)
class Comparison:
    """Cards that were measured alike, and how they differ.

    Attributes:
        cards: The cards.
        rows: One for each score that a card has.
        notes: Differences that the scores may be read with, one sentence each.
    """

    cards: tuple[ScoreCard, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    def text(self) -> str:
        """Return the table as aligned lines, the notes below; cards are A, B, C, ..."""
        letters = [_letter(place) for place in range(len(self.cards))]
        difference = ["B - A"] if len(letters) == 2 else []
        lines = [["score", *letters, *difference, "better"]]
        for row in self.rows:
            cells = [scores_of.shown_score(row.name, card.scores) for card in self.cards]
            lines.append([row.name, *cells, *(_difference(row) for _ in difference), _better(row)])
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([columns(lines, rule=True), *notes])


def compare(*cards: ScoreCard) -> Comparison:
    """Put score cards side by side.

    Versions, the seed and what belongs to the generator (averaged weights, prior, labels) may
    differ and are noted; everything else in the protocol must be equal. So must the options of
    every metric that two cards have in common.

    Args:
        *cards: Two or more.

    Raises:
        InputError: There are fewer than two, or they were not measured alike.
    """
    if len(cards) < 2:
        raise InputError(f"a comparison needs two score cards or more, got {len(cards)}")
    differences = list(_differences([_flat(card.protocol) for card in cards]))
    unlike = [text for key, text in differences if not key.startswith(_NOTED)]
    if unlike:
        raise InputError(
            f"the cards were not measured alike, so their scores cannot be compared: "
            f"{'; '.join(unlike)}: evaluate again with the same settings"
        )
    names = dict.fromkeys(name for card in cards for name in scores_of.headline(card.scores))
    rows = tuple(_row(name, cards) for name in names)
    return Comparison(tuple(cards), rows, tuple(text for _, text in differences))


def _row(name: str, cards: Sequence[ScoreCard]) -> Row:
    values = tuple(card.scores.get(name) for card in cards)
    better = scores_of.best(name, values)
    limits = [scores_of.interval(name, card.scores) for card in cards]
    overlaps = better is not None and any(
        _overlap(limits[better], other) for place, other in enumerate(limits) if place != better
    )
    return Row(name, values, better, overlaps)


def _overlap(a: tuple[float, float] | None, b: tuple[float, float] | None) -> bool:
    return a is not None and b is not None and max(a[0], b[0]) <= min(a[1], b[1])


def _differences(protocols: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield each key that differs, with a text that tells its value on every card."""
    for key in dict.fromkeys(key for protocol in protocols for key in protocol):
        values = [protocol.get(key, _ABSENT) for protocol in protocols]
        if key.startswith("metrics."):  # a metric may be on one card only; its scores tell
            values = [value for value in values if value != _ABSENT]
        if any(value != values[0] for value in values):
            told = [_told(protocol.get(key, _ABSENT)) for protocol in protocols]
            on_each = (f"{value} on {_letter(place)}" for place, value in enumerate(told))
            yield key, f"{key} is {', '.join(on_each)}"


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested keys joined by dots; a list is one value."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        flat.update(_flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value})
    return flat


def _told(value: Any) -> str:
    text = "null" if value is None else str(value)
    is_hash = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return text[:_DIGITS] if is_hash else text


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else f"#{place + 1}"


def _difference(row: Row) -> str:
    a, b = row.values
    return "" if a is None or b is None else f"{b - a:+.4g}"


def _better(row: Row) -> str:
    if row.better is None:
        return ""
    return f"{_letter(row.better)}{' (intervals overlap)' if row.overlaps else ''}"
