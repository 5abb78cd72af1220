"""The contract of adversarial losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from lightning_gan.components.part import Part
from lightning_gan.errors import InputError
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Feedback, Player


class AdversarialLoss(Part, ABC):
    """Both halves of one adversarial objective, as functions of logits.

    The two halves run no network, no backward pass and no optimizer, and reduce nothing: the game
    takes the mean. Logits are float32 or wider, of shape (N, ...) with any trailing shape; of a
    discriminator with several heads they see one head at a time.

    A loss that needs more than logits overrides :meth:`play` and gets the whole step: labels,
    by-products, other samples in the place of real ones or fakes (``step.replace``), the networks.

    Attributes:
        needs_real_logits_for_generator: Whether the generator's half uses ``real_logits``
            (relativistic losses).
        couples_samples: Whether one sample's loss depends on the others of the batch.
        directed: Whether the halves tell high logits from low ones. False: their logits are
            features without a direction, as those of a kernel are (MMD).
        requires: Names the loss needs: fields that the discriminator's output must fill
            ("class_logits", "features"), names of its ``extra`` or of the generator's, or methods
            of the generator ("mapping").
    """

    needs_real_logits_for_generator: bool = False
    couples_samples: bool = False
    directed: bool = True
    requires: frozenset[str] = frozenset()

    @abstractmethod
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the discriminator's loss: the real term plus the fake term, not halved.

        Args:
            real_logits: Logits of real samples, shape (N, ...).
            fake_logits: Logits of fakes, the same shape.

        Returns:
            Unreduced loss, N first.
        """

    @abstractmethod
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the generator's loss.

        Args:
            fake_logits: Logits of fakes, shape (N, ...).
            real_logits: Logits of real samples, the same shape; given only where
                ``needs_real_logits_for_generator`` is set.

        Returns:
            Unreduced loss, N first.
        """

    @property
    def plays(self) -> bool:
        """Whether this class sees the step, and not its logits alone."""
        return type(self).play is not AdversarialLoss.play

    def play(self, step: AdversarialStep) -> Tensor | Sequence[Tensor]:
        """Return the loss of ``step.player``: its half, of the logits of each head.

        Args:
            step: The update. Outputs are computed when they are read: a loss that reads none costs
                no pass of the discriminator.

        Returns:
            Unreduced loss, N first, or a scalar; or a sequence of such, one for each head.
        """
        if step.player is Player.DISCRIMINATOR:
            real, fake = step.real_output.heads, step.fake_output.heads
            losses = [self.discriminator(*pair) for pair in zip(real, fake, strict=True)]
        elif self.needs_real_logits_for_generator:
            real, fake = step.real_output.heads, step.fake_output.heads
            losses = [self.generator(f, r) for r, f in zip(real, fake, strict=True)]
        else:
            losses = [self.generator(logits, None) for logits in step.fake_output.heads]
        return losses[0] if len(losses) == 1 else losses


class LossWrapper(AdversarialLoss):
    """A loss that changes another one, whose declarations and hooks it passes on.

    Args:
        loss: The other one.

    Raises:
        InputError: It is no loss.
    """

    def __init__(self, loss: AdversarialLoss) -> None:
        super().__init__()
        if not isinstance(loss, AdversarialLoss):
            raise InputError(f"loss must be a lightning_gan.AdversarialLoss, got {loss!r}")
        self.loss = loss
        self.needs_real_logits_for_generator = loss.needs_real_logits_for_generator
        self.couples_samples, self.directed = loss.couples_samples, loss.directed
        self.requires, self.observes, self.measures = loss.requires, loss.observes, loss.measures
        self.trained_by, self.weights_from = loss.trained_by, loss.weights_from

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the other's half."""
        return self.loss.discriminator(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the other's half."""
        return self.loss.generator(fake_logits, real_logits)

    def play(self, step: AdversarialStep) -> Tensor | Sequence[Tensor]:
        """Return what the other one plays."""
        return self.loss.play(step)

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Bind the other one."""
        self.loss.bind(generator, discriminator)

    def prepare(self, step: AdversarialStep) -> None:
        """Let the other one change the update."""
        self.loss.prepare(step)

    def observe(self, feedback: Feedback) -> None:
        """Let the other one take note."""
        self.loss.observe(feedback)

    @property
    def prepares(self) -> bool:
        """Whether the other one changes updates."""
        return self.loss.prepares
