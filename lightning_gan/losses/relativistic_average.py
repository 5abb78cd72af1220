"""The relativistic average GAN loss."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from lightning_gan.errors import InputError
from lightning_gan.losses.base import AdversarialLoss


class RelativisticAverageLoss(AdversarialLoss):
    r"""Cross-entropy of logits less the other side's mean (RaGAN, Jolicoeur-Martineau 2019).

    With :math:`\bar D_r` and :math:`\bar D_f` the mean logits of real samples and of fakes, the
    discriminator minimises

    .. math::
        -\log\sigma(D(x) - \bar D_f) - \log(1 - \sigma(D(G(z)) - \bar D_r))

    and the generator the same with the roles exchanged,

    .. math::
        -\log\sigma(D(G(z)) - \bar D_r) - \log(1 - \sigma(D(x) - \bar D_f)).

    Both have gradients through the means as well.

    The means are over the batch and all positions of a head: a trailing position is the same critic
    at another place, and critics of their own are heads, of which each has its own means. They are
    over what one process sees at once: with several processes, or with ``micro_batches``, each
    piece has its own means, and the average of the pieces is not the loss of the whole batch,
    which it approaches as pieces grow.
    """

    needs_real_logits_for_generator = True
    couples_samples = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return softplus(mean fake - real) + softplus(fake - mean real), shape (N, ...)."""
        real, fake = real_logits - fake_logits.mean(), fake_logits - real_logits.mean()
        return softplus(-real) + softplus(fake)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return softplus(mean real - fake) + softplus(real - mean fake), shape (N, ...).

        Raises:
            InputError: There are no ``real_logits``.
        """
        if real_logits is None:
            raise InputError("a relativistic loss needs real_logits in the generator's half too")
        real, fake = real_logits - fake_logits.mean(), fake_logits - real_logits.mean()
        return softplus(-fake) + softplus(real)
