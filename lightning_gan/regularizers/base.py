"""The contract of regularizers."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.components.spec import Component
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.types import AdversarialStep, Feedback, Player


class Regularizer(Component):
    """Any further term of a player's objective.

    Override :meth:`discriminator`, :meth:`generator` or both. The module takes the mean of what
    they return, times ``weight``, times ``interval`` (lazy regularization, StyleGAN2, Karras et
    al. 2020, appendix B: a term used every k-th update counts k-fold).

    Args:
        weight: Factor of the term.
        interval: Use the term in every ``interval``-th update of its player, beginning with the
            first.

    Attributes:
        differentiates: Which inputs of the discriminator the term differentiates with respect to,
            a subset of {"real", "fake"}. The logits of these inputs are computed once, with the
            input in the graph, and shared with the loss. Where it is not empty, the discriminator
            runs in float32 in the updates in which the term is due. A penalty at points of its own
            (interpolates) names both.
        requires: Names the term needs: fields that the discriminator's output must fill
            ("class_logits", "features") or methods of the generator ("mapping").
        observes: Whether :meth:`observe` wants to be called.
        measures: Players to be measured for :meth:`observe` in batches in which they do not step.

    Raises:
        InputError: ``interval`` is below 1.
    """

    differentiates: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()
    observes: bool = False
    measures: frozenset[Player] = frozenset()

    def __init__(self, weight: float = 1.0, interval: int = 1) -> None:
        super().__init__()
        if interval < 1:
            raise InputError(f"interval must be at least 1, got {interval}")
        self.weight = weight
        self.interval = interval

    def discriminator(self, step: AdversarialStep) -> Tensor | None:
        """Return the term of the discriminator's objective: (N, ...), a scalar or None."""
        return None

    def generator(self, step: AdversarialStep) -> Tensor | None:
        """Return the term of the generator's objective: (N, ...), a scalar or None."""
        return None

    def after_update(self, player: Player, network: Generator | Discriminator) -> None:
        """Change the network after its optimizer step, without gradient (weight clipping)."""

    def observe(self, feedback: Feedback) -> None:
        """Take note of the batch that just ended; see :class:`~lightning_gan.types.Feedback`."""

    def acts_on(self, player: Player) -> bool:
        """Whether this class has a term for a player."""
        return getattr(type(self), player.value) is not getattr(Regularizer, player.value)

    def is_due(self, player: Player, updates: int) -> bool:
        """Whether the term is used in a player's update number ``updates`` (from 0)."""
        return self.acts_on(player) and self.weight != 0 and updates % self.interval == 0
