"""The hinge loss."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from lightning_gan.losses.base import AdversarialLoss


class HingeLoss(AdversarialLoss):
    r"""Margins of 1 for D, none for G (Lim & Ye 2017; Miyato et al. 2018, equations 16 and 17).

    The discriminator minimises :math:`\max(0, 1 - D(x)) + \max(0, 1 + D(G(z)))`, the generator
    :math:`-D(G(z))`. Samples beyond their margin no longer train the discriminator.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return max(0, 1 - real) + max(0, 1 + fake), shape (N, ...)."""
        return relu(1 - real_logits) + relu(1 + fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return -fake, shape (N, ...)."""
        return -fake_logits
