"""Clipping of the critic's weights."""

from __future__ import annotations

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.types import Player


class WeightClippingRegularizer(Regularizer):
    """Clips the discriminator's parameters after each of its steps (Arjovsky et al. 2017).

    Line 7 of the paper's algorithm 1: a crude way to keep a critic Lipschitz. What is frozen is
    left alone.

    Args:
        clip: c of the paper, above 0; every parameter ends in [-clip, clip].

    Raises:
        InputError: ``clip`` is not positive.
    """

    def __init__(self, clip: float = 0.01) -> None:
        super().__init__()
        if not clip > 0:
            raise InputError(f"clip must be positive, got {clip}")
        self.clip = clip

    def after_update(self, player: Player, network: Generator | Discriminator) -> None:
        """Clip in place, if it was the discriminator's step."""
        if player is Player.DISCRIMINATOR:
            for parameter in network.parameters():
                if parameter.requires_grad:
                    parameter.clamp_(-self.clip, self.clip)
