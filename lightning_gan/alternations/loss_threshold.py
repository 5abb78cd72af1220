"""Turns that end when the discriminator's loss crosses a threshold."""

from __future__ import annotations

import math
from typing import Any

from lightning_gan.alternations.base import Alternation
from lightning_gan.errors import InputError
from lightning_gan.types import Feedback, Player, Progress


class LossThreshold(Alternation):
    """Let D step until it is good enough, then G until D is bad enough; a new batch each step.

    A heuristic that keeps both players in reach of each other. D's turn ends as soon as the loss
    of its step is below ``d_below``, and after ``max_d_steps`` steps at the latest; G's as soon as
    D's loss on the batch of G's step is above ``g_above``, and after ``max_g_steps`` at the latest.
    Losses are those before the step, D's the sum of its real and its fake term, averaged over the
    batch and all ranks: 2 log 2 = 1.39 with cross-entropy if D knows nothing. The host reads one
    number a batch.

    Args:
        max_d_steps: Most steps in a turn of the discriminator, at least 1.
        max_g_steps: Most steps in a turn of the generator, at least 1.
        d_below: D's turn ends when its loss is below this, any number; -inf: never.
        g_above: G's turn ends when D's loss is above this, any number; inf: never.

    Raises:
        InputError: A number of steps is below 1, or a threshold is NaN.
    """

    observes = True
    measures = frozenset({Player.DISCRIMINATOR})

    def __init__(
        self,
        max_d_steps: int = 5,
        max_g_steps: int = 5,
        d_below: float = 2.0,
        g_above: float = 0.8,
    ) -> None:
        super().__init__()
        if min(max_d_steps, max_g_steps) < 1:
            raise InputError(
                f"max_d_steps and max_g_steps must be at least 1, got {max_d_steps} and "
                f"{max_g_steps}"
            )
        self.max_d_steps = max_d_steps
        self.max_g_steps = max_g_steps
        for name, value in (("d_below", d_below), ("g_above", g_above)):
            if math.isnan(value):  # infinity is a threshold: always, or never
                raise InputError(f"{name} must be a number, got {value}")
        self.d_below, self.g_above = float(d_below), float(g_above)
        self._player = Player.DISCRIMINATOR
        self._steps = 0  # of the turn

    def phases(self, progress: Progress) -> tuple[Player, ...]:
        """Return the one player whose turn it is."""
        return (self._player,)

    def observe(self, feedback: Feedback) -> None:
        """Count a step of the turn, and end the turn where the threshold or the limit says so."""
        found = feedback.discriminator_loss  # None where its weight is 0: the limit alone counts
        loss = math.nan if found is None else found.item()
        self._steps += 1
        if self._player is Player.DISCRIMINATOR:
            ends = loss < self.d_below or self._steps >= self.max_d_steps
        else:
            ends = loss > self.g_above or self._steps >= self.max_g_steps
        if ends:
            self._player, self._steps = self._player.opponent, 0

    def get_extra_state(self) -> dict[str, Any]:
        """Return whose turn it is, and its steps."""
        return {"player": self._player.value, "steps": self._steps}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`get_extra_state` returned."""
        self._player, self._steps = Player(state["player"]), state["steps"]
