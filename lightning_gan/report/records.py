"""What was measured of a run: the score cards in scorecards/, and the lines of health.jsonl."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_gan.errors import InputError
from lightning_gan.evaluation.card import ScoreCard
from lightning_gan.report.files import natural, read_text

# What reading a card raises if the file is cut off, damaged, or made to break its reader.
_UNREADABLE = (InputError, OSError, RecursionError, OverflowError, AttributeError)


@dataclass(frozen=True)
class Measured:
    """A score card and the name of its file."""

    file: str
    card: ScoreCard

    @property
    def step(self) -> int | None:
        """Step of the checkpoint, if the card tells."""
        return whole_number(self.card.checkpoint.get("step"))

    @property
    def label(self) -> str:
        """The step, or else the name of the file."""
        return self.file if self.step is None else f"{self.step:,}"


@dataclass(frozen=True)
class Finding:
    """One line of health.jsonl.

    Attributes:
        name: For example "mode_collapse".
        step: When it was found.
        since: Since when it has held.
        message: What was seen.
        advice: What to change.
        numbers: What it rests on.
    """

    name: str
    step: int | None
    since: int | None
    message: str
    advice: str
    numbers: dict[str, Any]


@dataclass(frozen=True)
class Best:
    """What best.json says.

    Attributes:
        score: The best score and its step, in words; "" where there is none.
        ended: Why training ended; "" where no score ended it.
    """

    score: str = ""
    ended: str = ""


def read_best(path: Path) -> tuple[Best, list[str]]:
    """Return what is known of the best checkpoint, and a note where the file is damaged."""
    text = read_text(path)
    if text is None:
        return Best(), []
    value = _parsed(text)
    found = value if isinstance(value, dict) else {}
    step, score, ended = whole_number(found.get("step")), found.get("score"), found.get("ended")
    if step is None or not isinstance(score, int | float):
        return Best(), [f"{path.name} is damaged and left out."]
    name = str(found.get("monitor") or "score")
    return Best(f"{name} {score:.4g} at step {step:,}", str(ended or "")), []


def read_cards(folder: Path) -> tuple[list[Measured], list[str]]:
    """Return the score cards of a run, the newest last, and a note on each that cannot be read."""
    cards, notes = [], []
    for path in sorted(folder.glob("scorecards/*.json"), key=lambda path: natural(path.name)):
        try:
            cards.append(Measured(path.name, ScoreCard.load(path)))
        except _UNREADABLE:
            notes.append(f"{path.name} is damaged or no score card, and left out.")
    cards.sort(key=lambda one: (-1 if one.step is None else one.step, one.card.created))
    return cards, notes


def read_findings(path: Path) -> tuple[list[Finding], list[str]]:
    """Return the findings of a run in the order of the file, and a note on damaged lines."""
    lines = [line for line in (read_text(path) or "").split("\n") if line.strip("\0\r ")]
    values = [_parsed(line) for line in lines]
    found = [_finding(value) for value in values if isinstance(value, dict)]
    damaged = len(values) - len(found)
    return found, [f"Damaged lines of health.jsonl, left out: {damaged}."] if damaged else []


def whole_number(value: Any) -> int | None:
    """Return a value as a step, or None if it is none."""
    is_known = isinstance(value, int | float) and abs(value) < 2**63  # which NaN is not
    return int(value) if is_known else None


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _finding(value: Mapping[str, Any]) -> Finding:
    numbers = value.get("numbers")
    return Finding(
        name=str(value.get("finding") or "finding"),
        step=whole_number(value.get("step")),
        since=whole_number(value.get("since_step")),
        message=str(value.get("message") or ""),
        advice=str(value.get("advice") or ""),
        numbers=numbers if isinstance(numbers, dict) else {},
    )
