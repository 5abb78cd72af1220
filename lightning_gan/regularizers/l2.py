"""The squared L2 distance between fakes and their targets."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.regularizers.base import ReconstructionRegularizer
from lightning_gan.step import AdversarialStep


class L2Regularizer(ReconstructionRegularizer):
    r"""Mean squared difference of each fake and its target (Pathak et al. 2016, section 3.2).

    .. math:: \frac{1}{d} \lVert x - G(z, y) \rVert_2^2

    with d values in a sample. The target is the real sample of the same place in the batch.

    Args:
        weight: Factor of the term, any number.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.
        target: Entry of the batch's ``extra`` that holds the targets; None: the real samples.
    """

    def __init__(self, weight: float = 1.0, interval: int = 1, target: str | None = None) -> None:
        super().__init__(weight, interval, target)

    def distance(self, fake: Tensor, target: Tensor, step: AdversarialStep) -> Tensor:
        """Return the mean squared difference of each pair, shape (N,)."""
        return (fake - target).square().flatten(1).mean(1)
