"""The check of alternations."""

from __future__ import annotations

import copy

from lightning_gan.alternations.base import Alternation
from lightning_gan.testing.base import N, check_any, check_rebuilding, observe
from lightning_gan.testing.expectations import expect, own_randomness
from lightning_gan.types import Player, Progress


def check_alternation(alternation: Alternation) -> None:
    """Check an alternation over a made-up course of 50 batches.

    Raises:
        ConformanceError: The alternation breaks its contract.
    """
    with own_randomness():
        check_any(alternation, Alternation)
        progress = Progress()
        for _ in range(50):
            before = copy.deepcopy(progress)
            phases = alternation.phases(progress)
            expect(
                isinstance(phases, tuple) and all(isinstance(p, Player) for p in phases),
                alternation,
                f"phases must return a tuple of Player, got {phases!r}",
            )
            expect(progress == before, alternation, "phases must not change the progress it reads")
            expect(
                phases == alternation.phases(progress),
                alternation,
                "phases must give the same answer when asked twice about one batch",
            )
            for player in phases:
                progress = progress.after_step(player)
            progress = progress.after_batch(N)
            # Losses on both sides of any sensible threshold.
            observe(alternation, progress, phases, value=0.05 if progress.batches % 2 else 3.0)
        for player in Player:
            expect(
                progress.steps(player) > 0,
                alternation,
                f"must let the {player.value} step within 50 batches",
            )
        check_rebuilding(alternation)
