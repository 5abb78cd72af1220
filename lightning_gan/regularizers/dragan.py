"""The gradient penalty of DRAGAN."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.layers.input_gradients import slope_excess, slopes
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import finite


class DRAGANRegularizer(Regularizer):
    r"""One-centred gradient penalty around real samples (DRAGAN, Kodali et al. 2017).

    The term is :math:`(\lVert \nabla_x D(x + \delta) \rVert - k)^2` for each real sample;
    ``weight`` is the paper's lambda, 10 there. The paper writes :math:`\delta` as Gaussian noise;
    the authors' code, and this term, take :math:`\delta = \alpha s u` with :math:`\alpha` uniform
    on [0, 1] for each sample, :math:`u` uniform on [0, 1] for each value, and s = ``scale`` times
    the standard deviation of all values of the batch, as far as a process sees it at once. For
    Gaussian noise use ``gradient_penalty`` with ``at="perturbed"``. A conditional D gets the real
    sample's label. Logits of trailing shape and of several heads are summed for each sample. The
    discriminator should have no batch norm.

    Args:
        weight: lambda, any number.
        interval: Use the term in every ``interval``-th discriminator update, ``interval``-fold; at
            least 1.
        slope: k, at least 0.
        scale: Largest shift of a value, in standard deviations of the batch, above 0.

    Raises:
        InputError: ``slope`` is negative, or ``scale`` is not positive.
    """

    differentiates = frozenset({"points"})
    couples_samples = True  # by the standard deviation of the batch

    def __init__(
        self, weight: float = 10.0, interval: int = 1, slope: float = 1.0, scale: float = 0.5
    ) -> None:
        super().__init__(weight, interval)
        if not finite(slope, "slope") >= 0:
            raise InputError(f"slope must be from 0, got {slope}")
        if not finite(scale, "scale") > 0:
            raise InputError(f"scale must be positive, got {scale}")
        self.slope = slope
        self.scale = scale

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return the squared distance of each gradient norm from k, shape (N,)."""
        real = step.real.detach()
        alpha = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device, dtype=real.dtype)
        shift = alpha * self.scale * real.std(correction=0) * torch.rand_like(real)
        around = (real + shift).requires_grad_()
        slope = slopes(step.discriminate(around, step.y), around)
        return slope_excess(slope, self.slope, one_sided=False).square()
