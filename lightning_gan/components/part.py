"""What the parts of a GAN besides its networks have in common."""

from __future__ import annotations

from torch import nn

from lightning_gan.components.spec import Component
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Feedback, Player


class Part(Component):
    """A component that takes part in training: a loss, a regularizer, an augmentation and so on.

    Attributes:
        observes: Whether :meth:`observe` wants to be called.
        measures: Players to be measured for :meth:`observe` in batches in which they do not step.
        trained_by: The player whose optimizer trains the parameters of this part (an encoder, a
            projection, the Q of an InfoGAN). They belong to that player's clipping, guard and
            average over ranks, and not to the exported or averaged generator. A part with
            parameters that require a gradient must name one.
        weights_from: Where frozen weights of this part come from, such as the path of a file that
            its constructor reads. Checkpoints then leave them out and name it in their place.
    """

    observes: bool = False
    measures: frozenset[Player] = frozenset()
    trained_by: Player | None = None
    weights_from: str | None = None

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Get to know the networks: make buffers of their shapes, keep a reference, copy a teacher.

        Called once, when the GAN is put together and before any state is loaded. Keep a network
        that is not this part's own out of its modules: ``self.__dict__["network"] = generator``.
        """

    def prepare(self, step: AdversarialStep) -> None:
        """Change an update before the discriminator has seen anything; see ``step.replace``.

        Called for the loss, the augmentation and the regularizers that are due, in this order.
        """

    def observe(self, feedback: Feedback) -> None:
        """Take note of the batch that just ended; see :class:`~lightning_gan.types.Feedback`."""

    @property
    def prepares(self) -> bool:
        """Whether this class changes updates before the discriminator sees them."""
        return type(self).prepare is not Part.prepare
