"""Adaptive pseudo augmentation."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.augments.base import AdaptiveAugment
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player


class APAAugment(AdaptiveAugment):
    r"""Shows D fakes among the real samples (adaptive pseudo augmentation, Jiang et al. 2021).

    In updates of the discriminator each real sample is replaced, with probability p, by a generated
    one. Where D is so good on few real samples that it knows them by heart, being deceived keeps it
    from that. p follows :math:`r_t`, the mean sign of D's logits on what it is shown as real, as in
    ``ada``. With a relativistic loss, whose logits have no zero, set ``target`` to null, and let a
    schedule move ``augment.p``.

    The replacements are drawn anew, for the conditions of the samples that they replace; that is
    one more pass of the generator in each update of the discriminator while p is above 0. (The
    authors' code shows those of the generator's update before.) Samples of any shape.

    Args:
        p: The probability at first, in [0, 1].
        target: Where :math:`r_t` is to be, in [-1, 1]; None leaves p as it is.
        kimg: Thousands of images in which p can go from 0 to 1, above 0.
        interval: Batches between two adjustments of p, at least 1.

    Raises:
        InputError: A number is out of its range.
    """

    def __init__(
        self, p: float = 0.0, target: float | None = 0.6, kimg: float = 500.0, interval: int = 4
    ) -> None:
        super().__init__()
        self.control(p, target, kimg, interval)

    def prepare(self, step: AdversarialStep) -> None:
        """Replace real samples by others that the generator draws now."""
        super().prepare(step)
        if step.player is Player.GENERATOR or self.p == 0:
            return
        real = step.real
        pseudo = step.generate(step.latents(len(real)), step.y).to(real.dtype)
        chosen = torch.rand(len(real), device=real.device) < self.p
        step.replace(real=torch.where(chosen.view(-1, *[1] * (real.dim() - 1)), pseudo, real))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` itself, shape (N, *sample_shape)."""
        return x
