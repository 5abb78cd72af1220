"""The contract of adversarial losses."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from lightning_gan.components.spec import Component


class AdversarialLoss(Component, ABC):
    """Both halves of one adversarial objective, as functions of logits alone.

    Nothing here runs a network, a backward pass or an optimizer, and nothing is reduced: the module
    takes the mean. Logits are float32 or wider, of shape (N, ...) with any trailing shape.

    Attributes:
        needs_real_logits_for_generator: Whether the generator's half uses ``real_logits``
            (relativistic losses).
        couples_samples: Whether one sample's loss depends on the others of the batch.
    """

    needs_real_logits_for_generator: bool = False
    couples_samples: bool = False

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
