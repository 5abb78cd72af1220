"""The relativistic paired GAN loss."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from lightning_gan.errors import InputError
from lightning_gan.losses.base import AdversarialLoss


class RelativisticPairedLoss(AdversarialLoss):
    r"""Cross-entropy of pairs: which of two is real (RpGAN, Jolicoeur-Martineau 2019, section 4.1).

    The discriminator minimises :math:`-\log\sigma(D(x) - D(G(z)))`, the generator
    :math:`-\log\sigma(D(G(z)) - D(x))`, for each real sample and the fake of the same place in the
    batch. A mode without fakes stays a worse half of its pairs, so that modes are not dropped; with
    the regularizers ``r1`` and ``r2`` it is the loss of R3GAN (Huang et al. 2024, equations 2 and
    3).
    """

    needs_real_logits_for_generator = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return softplus(fake - real), shape (N, ...)."""
        return softplus(fake_logits - real_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return softplus(real - fake), shape (N, ...).

        Raises:
            InputError: There are no ``real_logits``.
        """
        if real_logits is None:
            raise InputError("a relativistic loss needs real_logits in the generator's half too")
        return softplus(real_logits - fake_logits)
