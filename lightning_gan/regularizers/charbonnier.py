"""The Charbonnier distance between fakes and their targets."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.regularizers.base import ReconstructionRegularizer
from lightning_gan.step import AdversarialStep


class CharbonnierRegularizer(ReconstructionRegularizer):
    r"""A smooth L1 distance of each fake and its target (Charbonnier et al. 1994; Lai et al. 2017).

    .. math:: \frac{1}{d} \sum_i \sqrt{(x_i - G(z, y)_i)^2 + \epsilon^2}

    over the d values of a sample: quadratic near 0, and linear far from it. The target is the real
    sample of the same place in the batch.

    Args:
        weight: Factor of the term, any number.
        epsilon: Where it turns from quadratic to linear, above 0; Lai et al. take 1e-3.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.
        target: Entry of the batch's ``extra`` that holds the targets; None: the real samples.

    Raises:
        InputError: ``epsilon`` is not positive.
    """

    def __init__(
        self,
        weight: float = 1.0,
        epsilon: float = 1e-3,
        interval: int = 1,
        target: str | None = None,
    ) -> None:
        super().__init__(weight, interval, target)
        if not epsilon > 0:
            raise InputError(f"epsilon must be positive, got {epsilon}")
        self.epsilon = epsilon

    def distance(self, fake: Tensor, target: Tensor, step: AdversarialStep) -> Tensor:
        """Return the mean distance of each pair, shape (N,)."""
        return ((fake - target).square() + self.epsilon**2).sqrt().flatten(1).mean(1)
