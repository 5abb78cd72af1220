"""The contract of regularizers."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lightning_gan.components.part import Part
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player, finite

Term = Tensor | Mapping[str, Tensor] | None


class Regularizer(Part):
    """Any further term of a player's objective: a penalty, a reconstruction, a classifier.

    Override :meth:`discriminator`, :meth:`generator` or both. The game takes the mean of what they
    return, times ``weight``, times ``interval`` (lazy regularization, StyleGAN2, Karras et al.
    2020, appendix B: a term used every k-th update counts k-fold). At a weight of 0 the term is not
    computed.

    A lazy term is added to the loss of the updates in which it is due, and makes no step of its
    own. So Adam's rate and betas stay as they are. StyleGAN2 corrects them because it steps k + 1
    times for k batches, once for the term alone: the rate by c = k / (k + 1), betas to the power c.

    Args:
        weight: Factor of the term; schedules reach it.
        interval: Use the term in every ``interval``-th update of its player, beginning with the
            first.

    Attributes:
        differentiates: Which inputs of the discriminator the term differentiates with respect to,
            a subset of {"real", "fake"}. The outputs on these inputs are computed once, with the
            input in the graph, and shared with the loss. A penalty at points of its own
            (interpolates) names both.
        full_precision: The players whose networks run without autocast in the updates in which the
            term is due. None: the discriminator where ``differentiates`` is not empty.
        requires: Names the term needs: fields that the discriminator's output must fill
            ("class_logits", "features"), names of its ``extra`` or of the generator's, or methods
            of the generator ("mapping").

    Raises:
        InputError: ``weight`` is no finite number, or ``interval`` no whole number from 1.
    """

    differentiates: frozenset[str] = frozenset()
    full_precision: frozenset[Player] | None = None
    requires: frozenset[str] = frozenset()

    def __init__(self, weight: float = 1.0, interval: int = 1) -> None:
        super().__init__()
        if type(interval) is not int or interval < 1:
            raise InputError(f"interval must be a whole number from 1, got {interval!r}")
        self.weight = finite(weight, "weight")  # a schedule would keep a whole number whole
        self.interval = interval

    def discriminator(self, step: AdversarialStep) -> Term:
        """Return the term of the discriminator's objective.

        Returns:
            Unreduced, (N, ...), or a scalar; several by name, which are added and logged each by
            itself; or None.
        """
        return None

    def generator(self, step: AdversarialStep) -> Term:
        """Return the term of the generator's objective, as :meth:`discriminator` does."""
        return None

    def after_update(self, player: Player, network: Generator | Discriminator) -> None:
        """Change the network after its optimizer step, without gradient (weight clipping)."""

    def term(self, step: AdversarialStep) -> Term:
        """Return the term of ``step.player``'s objective."""
        if step.player is Player.GENERATOR:
            return self.generator(step)
        return self.discriminator(step)

    def acts_on(self, player: Player) -> bool:
        """Whether this class has a term for a player."""
        if player is Player.GENERATOR:
            return type(self).generator is not Regularizer.generator
        return type(self).discriminator is not Regularizer.discriminator

    def is_due(self, player: Player, updates: int) -> bool:
        """Whether the term is used in a player's update number ``updates`` (from 0)."""
        due = self.weight != 0 and updates % self.interval == 0
        return due and (self.acts_on(player) or self.prepares)

    def uncast(self) -> frozenset[Player]:
        """Return the players whose networks run without autocast where the term is due."""
        if self.full_precision is not None:
            return self.full_precision
        return frozenset({Player.DISCRIMINATOR} if self.differentiates else ())
