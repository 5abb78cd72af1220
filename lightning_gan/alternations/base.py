"""The contract of alternations."""

from __future__ import annotations

from lightning_gan.components.spec import Component
from lightning_gan.types import Feedback, Player, Progress


class Alternation(Component):
    """Decides which players step on a batch. The base class itself: D, then G, on every batch.

    Attributes:
        simultaneous: Compute all phases' gradients before any step.
        observes: Whether :meth:`observe` wants to be called.
        measures: Players to be measured for :meth:`observe` in batches in which they do not step.
    """

    simultaneous: bool = False
    observes: bool = False
    measures: frozenset[Player] = frozenset()

    def phases(self, progress: Progress) -> tuple[Player, ...]:
        """Return the players that step on this batch, in order; equal on all ranks.

        Args:
            progress: The counts before this batch.
        """
        return (Player.DISCRIMINATOR, Player.GENERATOR)

    def observe(self, feedback: Feedback) -> None:
        """Take note of the batch that just ended; see :class:`~lightning_gan.types.Feedback`."""
