"""The non-saturating GAN loss, with targets for label smoothing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from lightning_gan.errors import InputError
from lightning_gan.losses.base import AdversarialLoss


class NonSaturatingLoss(AdversarialLoss):
    r"""Binary cross-entropy for both players (Goodfellow et al. 2014, section 3).

    With :math:`\sigma` the logistic function and :math:`H(t, l) = -t \log\sigma(l) - (1 - t)
    \log(1 - \sigma(l))`, the discriminator minimises :math:`H(t_r, D(x)) + H(t_f, D(G(z)))` and
    the generator :math:`H(t_g, D(G(z)))`. Targets of 1, 0, 1 give the paper's loss; a real target
    below 1 is one-sided label smoothing (Salimans et al. 2016, section 3.4).

    Args:
        real_target: Target for real samples in the discriminator's half, in [0, 1].
        fake_target: Target for fakes in the discriminator's half, in [0, 1].
        generator_target: Target for fakes in the generator's half, in [0, 1].

    Raises:
        InputError: A target lies outside [0, 1].
    """

    def __init__(
        self, real_target: float = 1.0, fake_target: float = 0.0, generator_target: float = 1.0
    ) -> None:
        super().__init__()
        targets = {
            "real_target": real_target,
            "fake_target": fake_target,
            "generator_target": generator_target,
        }
        for name, target in targets.items():
            if not 0 <= target <= 1:
                raise InputError(f"{name} must lie in [0, 1], got {target}")
        self.real_target = real_target
        self.fake_target = fake_target
        self.generator_target = generator_target

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return H(real_target, real) + H(fake_target, fake), shape (N, ...)."""
        real = _cross_entropy(real_logits, self.real_target)
        return real + _cross_entropy(fake_logits, self.fake_target)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return H(generator_target, fake), shape (N, ...)."""
        return _cross_entropy(fake_logits, self.generator_target)


def _cross_entropy(logits: Tensor, target: float) -> Tensor:
    targets = torch.full_like(logits, target)
    return binary_cross_entropy_with_logits(logits, targets, reduction="none")
