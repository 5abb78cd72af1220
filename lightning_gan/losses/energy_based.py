"""The energy-based loss."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from lightning_gan.errors import InputError
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.types import finite


class EnergyBasedLoss(AdversarialLoss):
    r"""Low energy for real samples, at least a margin for fakes (EBGAN, Zhao et al. 2017).

    The energy of a sample is :math:`E = -D`, so that high logits mean real here as everywhere. The
    discriminator minimises :math:`E(x) + \max(0, m - E(G(z)))`, the generator :math:`E(G(z))`
    (equations 1 and 2). The paper's energy is the error of an autoencoder, which is never negative:
    the discriminators ``autoencoder`` and ``mlp_autoencoder`` return its negative. Of another D,
    whose energy has no least value, keep the slope bounded by a penalty.

    Args:
        margin: m, above 0: the energy from which on fakes no longer train the discriminator.

    Example:
        lightning-gan fit loss=energy_based discriminator=autoencoder

    Raises:
        InputError: ``margin`` is not above 0.
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = finite(margin, "margin")
        if self.margin <= 0:
            raise InputError(f"margin must lie above 0, got {margin}")

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return -real + max(0, m + fake), shape (N, ...)."""
        return -real_logits + relu(self.margin + fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return -fake, shape (N, ...)."""
        return -fake_logits
