"""Precision and recall of a generator by nearest-neighbor balls."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.metrics.neighbors import lie_in_balls, radii_of
from lightning_gan.metrics.rows import RowMetric, check_sets


class PrecisionRecall(RowMetric):
    """How much of what is generated looks real, and how much of the real is generated.

    Kynkäänniemi et al. 2019; see :func:`precision_recall`. Both in [0, 1]; larger is better.

    Args:
        k: The neighbor whose distance is a ball's radius.

    Raises:
        InputError: ``k`` is less than 1.
    """

    higher_is_better: bool = True

    def __init__(self, k: int = 3) -> None:
        super().__init__()
        if k < 1:
            raise InputError(f"k must be at least 1, got {k}")
        self.k = k

    def compute(self) -> dict[str, Tensor]:
        """Return ``precision`` and ``recall``, float64 scalars.

        Raises:
            InputError: A set has fewer than k + 1 samples, or a feature is not finite.
        """
        return precision_recall(self._rows("real"), self._rows("fake"), self.k)


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> dict[str, Tensor]:
    """Return the shares of samples that lie in a ball around a sample of the other set.

    Every sample is the center of a ball that reaches to its k-th nearest neighbor in its own set,
    itself not counted (Kynkäänniemi et al. 2019, equation 1). Precision is the share of fakes in
    a ball of any real sample, recall the share of real samples in a ball of any fake (equation 2).

    Args:
        real: Features of real samples, shape (N, D).
        fake: Features of generated samples, shape (M, D).
        k: The neighbor whose distance is the radius, at most min(N, M) - 1.

    Returns:
        ``precision`` and ``recall`` in [0, 1], float64 scalars.

    Raises:
        InputError: There are fewer than k + 1 samples, or the features cannot be compared.
    """
    check_sets(f"precision and recall with k={k}", real, fake, at_least=k + 1)
    precise, recalled = lie_in_balls(fake, real, radii_of(fake, k), radii_of(real, k))
    return {"precision": precise.double().mean(), "recall": recalled.double().mean()}
