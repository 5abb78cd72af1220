"""The boundary equilibrium loss, and its controller."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Feedback, Player, finite


class BoundaryEquilibriumLoss(AdversarialLoss):
    r"""Autoencoder errors of real and fake in a chosen ratio (BEGAN, Berthelot et al. 2017).

    With :math:`L = -D`, the error of an autoencoder, the discriminator minimises
    :math:`L(x) - k_t L(G(z))` and the generator :math:`L(G(z))`. After each batch

    .. math::
        k_{t+1} = k_t + \lambda_k (\gamma L(x) - L(G(z))), \qquad k_t \in [0, 1],

    of the means of the discriminator's update over all processes (section 3.4, where the generator
    has latents of its own). :math:`k_0 = 0`: at first D only learns to reconstruct. High logits
    mean real here as everywhere: the discriminators ``autoencoder`` and ``mlp_autoencoder`` return
    the negative error.

    The log has ``loss/k`` and ``loss/convergence``, the paper's measure
    :math:`L(x) + |\gamma L(x) - L(G(z))|` of each piece of a batch, averaged over pieces and
    processes. :math:`k_t` stays as it is after a batch in which the discriminator rests.

    Args:
        gamma: The ratio of errors at equilibrium, in [0, 1]: low for sharp samples, high for
            varied ones.
        rate: Step of the controller, :math:`\lambda_k`, above 0.

    Example:
        lightning-gan fit loss=boundary_equilibrium discriminator=autoencoder

    Raises:
        InputError: ``gamma`` lies outside [0, 1], or ``rate`` is not above 0.
    """

    observes = True
    k: Tensor

    def __init__(self, gamma: float = 0.5, rate: float = 0.001) -> None:
        super().__init__()
        if not 0 <= gamma <= 1:
            raise InputError(f"gamma must lie in [0, 1], got {gamma}")
        self.gamma, self.rate = gamma, finite(rate, "rate")
        if self.rate <= 0:
            raise InputError(f"rate must lie above 0, got {rate}")
        self.register_buffer("k", torch.zeros(()))

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return -real + k * fake, shape (N, ...)."""
        return -real_logits + self.k * fake_logits

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return -fake, shape (N, ...)."""
        return -fake_logits

    def play(self, step: AdversarialStep) -> Tensor | Sequence[Tensor]:
        """Return the loss of each head, and report k and the measure of convergence."""
        if step.player is Player.DISCRIMINATOR:
            real, fake = (
                -torch.stack([logits.detach().mean() for logits in output.heads]).mean()
                for output in (step.real_output, step.fake_output)
            )
            step.report("convergence", real + (self.gamma * real - fake).abs())
            step.report("k", self.k.clone())  # what observe changes in place
        return super().play(step)

    def observe(self, feedback: Feedback) -> None:
        """Move k by how far the errors are from their ratio."""
        if Player.DISCRIMINATOR not in feedback.phases:
            return
        if feedback.real_logits is not None and feedback.fake_logits is not None:
            real, fake = -feedback.real_logits, -feedback.fake_logits
            self.k.add_(self.rate * (self.gamma * real - fake)).clamp_(0, 1)
