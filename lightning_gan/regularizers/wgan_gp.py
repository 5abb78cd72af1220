"""The gradient penalty of WGAN-GP."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep


class WGANGPRegularizer(Regularizer):
    r"""One-centred gradient penalty between real samples and fakes (Gulrajani et al. 2017).

    The term is :math:`(\lVert \nabla_{\hat x} D(\hat x) \rVert - 1)^2` (equation 3) at a random
    point :math:`\hat x = \epsilon x + (1 - \epsilon) G(z)` of the line between each real sample and
    a fake; ``weight`` is the paper's lambda. A conditional D gets the real sample's label. Logits
    of trailing shape are summed for each sample.

    The discriminator must have no batch norm: it would make a sample's logit depend on the others
    of the batch, and the penalty is about the gradient of each sample alone (section 4).

    Args:
        weight: lambda.
        interval: Use the term in every ``interval``-th discriminator update, ``interval``-fold.
    """

    differentiates = frozenset({"real", "fake"})

    def __init__(self, weight: float = 10.0, interval: int = 1) -> None:
        super().__init__(weight, interval)

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return the squared distance of each gradient norm from 1, shape (N,)."""
        epsilon = torch.rand(len(step.real), *[1] * (step.real.dim() - 1), device=step.real.device)
        real = step.real.detach()
        fake = step.fake.detach().to(real.dtype)  # autocast makes G's samples low precision
        between = torch.lerp(fake, real, epsilon.to(real.dtype)).requires_grad_()
        total = step.discriminate(between, step.y).total()
        (gradient,) = torch.autograd.grad(total, between, create_graph=True)
        norms: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
        return (norms - 1).square()
