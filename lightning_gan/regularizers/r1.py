"""The R1 gradient penalty."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.layers.input_gradients import squared_slopes
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep


class R1Regularizer(Regularizer):
    r"""Zero-centred gradient penalty on real samples (Mescheder et al. 2018, equation 9).

    The term is :math:`\frac{1}{2} \lVert \nabla_x D(x) \rVert^2` for each real sample;
    ``weight`` is the paper's gamma. Logits of trailing shape and of several heads are
    summed for each sample.

    Args:
        weight: gamma, any number.
        interval: Use the term in every ``interval``-th discriminator update, ``interval``-fold; at
            least 1.
    """

    differentiates = frozenset({"real"})

    def __init__(self, weight: float = 1.0, interval: int = 1) -> None:
        super().__init__(weight, interval)

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return half the squared gradient norm of each real sample, shape (N,)."""
        return 0.5 * squared_slopes(step.real_output, step.real)
