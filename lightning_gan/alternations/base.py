"""The contract of alternations."""

from __future__ import annotations

from lightning_gan.components.part import Part
from lightning_gan.types import Player, Progress


class Alternation(Part):
    """Decides which players step on a batch. The base class itself: D, then G, on every batch.

    Attributes:
        simultaneous: Compute all phases' gradients before any step.
    """

    simultaneous: bool = False

    def phases(self, progress: Progress) -> tuple[Player, ...]:
        """Return the players that step on this batch, in order; equal on all ranks.

        Args:
            progress: The counts before this batch.
        """
        return (Player.DISCRIMINATOR, Player.GENERATOR)
