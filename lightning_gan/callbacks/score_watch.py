"""Scores of one training in a row: which is the best, and when there is no more to wait for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Mode = Literal["min", "max", "near 1"]


@dataclass
class ScoreWatch:
    """Knows the best score so far, and counts those since that were no better, or far worse.

    Args:
        mode: Which is the better of two: the smaller ("min"), the larger ("max"), or that nearer to
            1 ("near 1").
        patience: Scores in a row without progress after which it is enough; None: never.
        min_delta: By more than this a score has to be better for progress. The best is the best,
            by however little.
        explosion: How many times worse than the best a score of an explosion is; None: there are
            none. Besides, it has lost more than half of what was won between the first score and
            the best, so that a score near 0, of which any number is many times worse, explodes by
            no noise. What is not finite is always of an explosion.
        explosion_patience: Scores of an explosion in a row after which it is enough.

    Attributes:
        first: The first finite score.
        best: The best one.
        step: Of the best one.
        reference: What progress is measured by: the best one when there was progress last.
        waited: Scores in a row without progress.
        exploded: Scores in a row that are those of an explosion.

    Example:
        >>> watch = ScoreWatch("min", patience=2)
        >>> [watch.note(step, score) for step, score in enumerate([5.0, 3.0, 4.0, 3.5])]
        [True, True, False, False]
        >>> watch.best, watch.step, watch.ends
        (3.0, 1, 'patience')
    """

    mode: Mode
    patience: int | None = None
    min_delta: float = 0.0
    explosion: float | None = 5.0
    explosion_patience: int = 3
    first: float | None = field(default=None, init=False)
    best: float | None = field(default=None, init=False)
    step: int = field(default=0, init=False)
    reference: float | None = field(default=None, init=False)
    waited: int = field(default=0, init=False)
    exploded: int = field(default=0, init=False)

    def note(self, step: int, score: float) -> bool:
        """Take a score, and return whether it is the best so far."""
        self.exploded = self.exploded + 1 if self._is_far_worse(score) else 0
        self.waited += 1
        if not math.isfinite(score):
            return False
        self.first = score if self.first is None else self.first
        by = math.inf if self.reference is None else self._loss(self.reference) - self._loss(score)
        if by > self.min_delta:
            self.reference, self.waited = score, 0
        if self.best is not None and self._loss(score) >= self._loss(self.best):
            return False
        self.best, self.step = score, step
        return True

    @property
    def ends(self) -> Literal["patience", "explosion"] | None:
        """For which reason it is enough, if it is."""
        if self.best is None:  # nothing has been kept
            return None
        if self.explosion is not None and self.exploded >= self.explosion_patience:
            return "explosion"
        return "patience" if self.patience is not None and self.waited >= self.patience else None

    def state_dict(self) -> dict[str, Any]:
        """Return what was seen so far, plain values; not the settings."""
        return {name: value for name, value in asdict(self).items() if name in STATE}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` returned."""
        for name in STATE:
            setattr(self, name, state[name])

    def _loss(self, score: float) -> float:
        return {"min": score, "max": -score, "near 1": abs(score - 1)}[self.mode]

    def _is_far_worse(self, score: float) -> bool:
        if not math.isfinite(score):
            return True
        if self.explosion is None or self.best is None or self.first is None:
            return False
        best, first, loss = (self._loss(each) for each in (self.best, self.first, score))
        # Where larger is better losses are negative: 3 times worse than -0.9 is -0.3.
        bound = best * self.explosion if best > 0 else best / self.explosion
        return loss > bound and loss > (first + best) / 2


STATE = ("first", "best", "step", "reference", "waited", "exploded")
