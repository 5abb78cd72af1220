"""The gradient penalty of WGAN-GP."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.layers.input_gradients import points_between, slope_excess, slopes
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep


class WGANGPRegularizer(Regularizer):
    r"""One-centred gradient penalty between real samples and fakes (Gulrajani et al. 2017).

    The term is :math:`(\lVert \nabla_{\hat x} D(\hat x) \rVert - 1)^2` (equation 3) at a random
    point :math:`\hat x = \epsilon x + (1 - \epsilon) G(z)` of the line between each real sample and
    a fake; ``weight`` is the paper's lambda. One-sided it is :math:`\max(0, \lVert \nabla_{\hat x}
    D(\hat x) \rVert - 1)^2`, the penalty of WGAN-LP (Petzka et al. 2018): a Lipschitz function may
    be flatter than 1. A conditional D gets the real sample's label. Logits of trailing shape and of
    several heads are summed for each sample.

    The discriminator must have no batch norm: it would make a sample's logit depend on the others
    of the batch, and the penalty is about the gradient of each sample alone (section 4).

    Args:
        weight: lambda, any number.
        interval: Use the term in every ``interval``-th discriminator update, ``interval``-fold; at
            least 1.
        one_sided: Whether slopes below 1 cost nothing.
    """

    differentiates = frozenset({"points"})

    def __init__(self, weight: float = 10.0, interval: int = 1, one_sided: bool = False) -> None:
        super().__init__(weight, interval)
        self.one_sided = one_sided

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return the squared distance of each gradient norm from 1, shape (N,)."""
        between = points_between(step.real, step.fake)
        slope = slopes(step.discriminate(between, step.y), between)
        return slope_excess(slope, 1.0, self.one_sided).square()
