"""The minimax (saturating) GAN loss."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from lightning_gan.losses.base import AdversarialLoss


class MinimaxLoss(AdversarialLoss):
    r"""The zero-sum game of Goodfellow et al. 2014, equation 1.

    The discriminator minimises :math:`-\log\sigma(D(x)) - \log(1 - \sigma(D(G(z))))`, the
    generator :math:`\log(1 - \sigma(D(G(z))))`, which saturates while the discriminator wins.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return softplus(-real) + softplus(fake), shape (N, ...)."""
        return softplus(-real_logits) + softplus(fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return -softplus(fake), shape (N, ...)."""
        return -softplus(fake_logits)
