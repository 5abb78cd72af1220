"""The least-squares GAN loss, as the smallest third-party plugin."""

from torch import Tensor

from lightning_gan import AdversarialLoss


class MinimalLoss(AdversarialLoss):
    """Squared distance of the logits from 1 for real and 0 for fake (Mao et al. 2017, eq. 9)."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return ((real - 1)^2 + fake^2) / 2, shape (N, ...)."""
        return 0.5 * ((real_logits - 1).square() + fake_logits.square())

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return (fake - 1)^2 / 2, shape (N, ...)."""
        return 0.5 * (fake_logits - 1).square()
