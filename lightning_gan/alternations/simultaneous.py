"""Both players at once."""

from __future__ import annotations

from lightning_gan.alternations.base import Alternation
from lightning_gan.types import Player, Progress


class Simultaneous(Alternation):
    """Both players step on every batch, each on the weights the other had before it.

    Simultaneous gradient descent (Mescheder et al. 2017, algorithm 1): all gradients are computed
    before any step.
    """

    simultaneous = True

    def phases(self, progress: Progress) -> tuple[Player, ...]:
        """Return (D, G) for every batch."""
        return (Player.DISCRIMINATOR, Player.GENERATOR)
