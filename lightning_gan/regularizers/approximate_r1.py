"""R1 by finite differences."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.layers.finite_differences import half_squared_slopes
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player, finite


class ApproximateR1Regularizer(Regularizer):
    r"""R1 on real samples by finite differences, without a double backward (after Lin et al. 2025).

    The term is :math:`\frac{1}{2 \sigma^2} (D(x) - D(x + \sigma \epsilon))^2` for each real sample
    and one :math:`\epsilon \sim \mathcal{N}(0, I)`. Its expectation over :math:`\epsilon` is
    :math:`\frac{1}{2} \lVert \nabla_x D(x) \rVert^2 + O(\sigma^2)`, the term of ``r1``, so that
    ``weight`` is gamma. The paper writes :math:`\lambda (D(x) - D(x + \sigma \epsilon))^2`, which
    is this with :math:`\gamma = 2 \lambda \sigma^2`: its :math:`\lambda = 100` and
    :math:`\sigma = 0.01` are a gamma of 0.02. A single :math:`\epsilon` is a noisy estimate: on a
    linear D its standard deviation is :math:`\sqrt 2` times its mean. Where D bends, a smaller
    ``sigma`` is less biased, and rounding sets the limit.

    What D and the augmentation draw (dropout, cutout) they draw alike for both points. Where they
    draw nothing, D(x) is that of the loss, and the term costs one more pass of D; else two. Steps
    captured as a CUDA graph cannot draw twice alike: with ``graph`` nothing should draw. What
    changes from pass to pass (the estimates of spectral norm while they settle) is taken for slope.

    D runs without autocast, as in bfloat16 the difference would be lost in the rounding; unlike
    ``r1`` it may be compiled, and made of operations that cannot be differentiated twice. Logits of
    trailing shape and of several heads are summed for each sample.

    Args:
        weight: gamma, as that of ``r1``, any number.
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
        """Return an estimate of half the squared gradient norm of each real sample, shape (N,)."""
        return half_squared_slopes(
            step, step.real, step.y, self.sigma, known=lambda: step.real_output
        )
