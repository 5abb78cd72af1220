"""Historical averaging."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player, widened

PLAYERS = ("generator", "discriminator", "both")


class HistoricalAveragingRegularizer(Regularizer):
    r"""Draws parameters towards the mean of their own past (Salimans et al. 2016, section 3.3).

    The term is :math:`\lVert \theta - \frac{1}{t} \sum_{i=1}^t \theta[i] \rVert^2` over all trained
    parameters of a player, where :math:`\theta[i]` are those after its i-th update. The mean is
    kept as it goes and saved with the GAN: one more copy of the parameters. Before the first update
    the term is 0. The paper names no factor.

    Args:
        weight: Factor of the term, any number.
        interval: Use the term in every ``interval``-th update of a player, ``interval``-fold; at
            least 1. The mean counts every update. In an Adversary the generator's updates are those
            of your loop, which nobody counts: give ``players="discriminator"`` there.
        players: Whose parameters: the "generator"'s, the "discriminator"'s, or "both".

    Raises:
        InputError: ``players`` is unknown.
    """

    def __init__(
        self,
        weight: float = 1e-3,
        interval: int = 1,
        players: Literal["generator", "discriminator", "both"] = "both",
    ) -> None:
        super().__init__(weight, interval)
        if players not in PLAYERS:
            raise InputError(f"players must be one of {', '.join(PLAYERS)}, got {players!r}")
        self.players = players

    def acts_on(self, player: Player) -> bool:
        """Whether this player is regularized."""
        return self.players in (player.value, "both")

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Make room for the means of the parameters."""
        networks = {Player.GENERATOR: generator, Player.DISCRIMINATOR: discriminator}
        for player, network in networks.items():
            if self.acts_on(player):
                self.register_buffer(f"{player.value}_updates", torch.zeros((), dtype=torch.int64))
                for index, parameter in enumerate(network.parameters()):
                    mean = widened(parameter.detach().clone())
                    self.register_buffer(f"{player.value}_{index}", mean)

    def discriminator(self, step: AdversarialStep) -> Tensor | None:
        """Return the squared distance of the discriminator from its past, a scalar."""
        return self._distance(step.player, step.discriminator)

    def generator(self, step: AdversarialStep) -> Tensor | None:
        """Return the squared distance of the generator from its past, a scalar."""
        return self._distance(step.player, step.generator)

    def _distance(self, player: Player, network: nn.Module | None) -> Tensor | None:
        if network is None or not self.acts_on(player):
            return None
        distances = [  # squared, in one pass over the parameters and one for the gradient
            mse_loss(
                widened(parameter), self.get_buffer(f"{player.value}_{index}"), reduction="sum"
            )
            for index, parameter in enumerate(network.parameters())
            if parameter.requires_grad
        ]
        if not distances:
            return None
        return torch.stack(distances).sum() * (self.get_buffer(f"{player.value}_updates") > 0)

    def after_update(self, player: Player, network: Generator | Discriminator) -> None:
        """Take the parameters into their mean."""
        if not self.acts_on(player):
            return
        share = 1 / self.get_buffer(f"{player.value}_updates").add_(1)
        for index, parameter in enumerate(network.parameters()):
            mean = self.get_buffer(f"{player.value}_{index}")
            mean.lerp_(parameter.detach().to(mean.dtype), share.to(mean.dtype))
