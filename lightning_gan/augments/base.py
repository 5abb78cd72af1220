"""The contract of augmentations."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.components.spec import Component
from lightning_gan.types import Feedback, Player


class Augment(Component):
    """Changes samples before the discriminator sees them. The base class itself: the identity.

    The same call serves real samples and fakes. It keeps the shape, is differentiable twice, and
    takes its randomness from torch's global generators.

    Attributes:
        observes: Whether :meth:`observe` wants to be called.
        measures: Players to be measured for :meth:`observe` in batches in which they do not step.
    """

    observes: bool = False
    measures: frozenset[Player] = frozenset()

    def forward(self, x: Tensor) -> Tensor:
        """Augment samples.

        Args:
            x: Samples, shape (N, *sample_shape); images in [-1, 1].

        Returns:
            Samples of the same shape.
        """
        return x

    def observe(self, feedback: Feedback) -> None:
        """Take note of the batch that just ended; see :class:`~lightning_gan.types.Feedback`."""
