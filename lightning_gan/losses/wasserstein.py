"""The Wasserstein loss."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.losses.base import AdversarialLoss


class WassersteinLoss(AdversarialLoss):
    r"""Difference of the critic's means (Arjovsky et al. 2017, equations 2 and 3).

    The discriminator, a critic here, minimises :math:`D(G(z)) - D(x)`, whose negative estimates
    the Wasserstein distance of data and fakes up to a factor, if D is kept Lipschitz: add the
    regularizer ``weight_clipping`` or ``wgan_gp``. The generator minimises :math:`-D(G(z))`.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return fake - real, shape (N, ...)."""
        return fake_logits - real_logits

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return -fake, shape (N, ...)."""
        return -fake_logits
