"""R2 by finite differences."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.layers.finite_differences import half_squared_slopes
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player, finite


class ApproximateR2Regularizer(Regularizer):
    r"""R2 on fakes by finite differences, without a double backward (after Lin et al. 2025).

    The term is :math:`\frac{1}{2 \sigma^2} (D(x) - D(x + \sigma \epsilon))^2` for each fake x and
    one :math:`\epsilon \sim \mathcal{N}(0, I)`: what ``approximate_r1`` is to ``r1``, this is to
    ``r2``. Its expectation is :math:`\frac{1}{2} \lVert \nabla_x D(x) \rVert^2 + O(\sigma^2)`, and
    ``weight`` is gamma. All that ``approximate_r1`` says of noise, bias, cost, random layers and
    precision holds here.

    Args:
        weight: gamma, as that of ``r2``, any number.
        interval: Use the term in every ``interval``-th discriminator update, ``interval``-fold; at
            least 1.
        sigma: Standard deviation of the perturbation, in the units of the samples, above 0.

    Raises:
        InputError: ``sigma`` is not positive.
    """

    full_precision = frozenset({Player.DISCRIMINATOR})

    def __init__(self, weight: float = 1.0, interval: int = 1, sigma: float = 0.01) -> None:
        super().__init__(weight, interval)
        if not finite(sigma, "sigma") > 0:
            raise InputError(f"sigma must be positive, got {sigma}")
        self.sigma = sigma

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return an estimate of half the squared gradient norm of each fake, shape (N,)."""
        return half_squared_slopes(
            step, step.fake, step.fake_y, self.sigma, known=lambda: step.fake_output
        )
