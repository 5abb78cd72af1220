"""The L1 distance between fakes and their targets."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.regularizers.base import ReconstructionRegularizer
from lightning_gan.step import AdversarialStep


class L1Regularizer(ReconstructionRegularizer):
    r"""Mean absolute difference of each fake and its target (Isola et al. 2017, equation 3).

    .. math:: \frac{1}{d} \lVert x - G(z, y) \rVert_1

    with d values in a sample. The target is the real sample of the same place in the batch: data
    yield the input as the condition y and what should come out as the real sample. In pix2pix it
    has the weight 100.

    Args:
        weight: Factor of the term, any number.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.
        target: Entry of the batch's ``extra`` that holds the targets; None: the real samples.
    """

    def __init__(self, weight: float = 1.0, interval: int = 1, target: str | None = None) -> None:
        super().__init__(weight, interval, target)

    def distance(self, fake: Tensor, target: Tensor, step: AdversarialStep) -> Tensor:
        """Return the mean absolute difference of each pair, shape (N,)."""
        return (fake - target).abs().flatten(1).mean(1)
