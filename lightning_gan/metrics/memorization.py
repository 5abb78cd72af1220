"""How close generated samples are to the training set."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.metrics.neighbors import median_spacing, nearest_rows, spacing
from lightning_gan.metrics.row_statistics import statistic
from lightning_gan.metrics.rows import RowMetric, check_sets, shuffle


class Memorization(RowMetric):
    """Share of generated samples that nearly copy a training sample.

    See :func:`memorization`. The real samples are the whole training set: with a part of it,
    copies of the rest go unseen. Smaller shares are better; a distance of about 1 is that of
    fresh real samples.

    Args:
        threshold: Distance below which a fake counts as a copy, in typical distances between
            nearest training samples.
        seed: Seed of the choice of training samples that set the scale; no global random state is
            touched.

    Raises:
        InputError: ``threshold`` is not positive.
    """

    higher_is_better: bool = False

    def __init__(self, threshold: float = 0.25, seed: int = 0) -> None:
        super().__init__()
        if not threshold > 0:
            raise InputError(f"threshold must be positive, got {threshold}")
        self.threshold = threshold
        self.seed = seed

    def compute(self) -> dict[str, Tensor]:
        """Return ``memorization`` and ``nearest_train_distance``, float64 scalars.

        Raises:
            InputError: A set has fewer than two samples, a feature is not finite, or most training
                samples are exact copies of each other.
        """
        return memorization(self._rows("real"), self._rows("fake"), self.threshold, self.seed)


def memorization(
    train: Tensor, fake: Tensor, threshold: float = 0.25, seed: int = 0
) -> dict[str, Tensor]:
    """Compare the distance of fakes to the training set with the spacing inside that set.

    The scale is the median distance of a training sample to the nearest other one (leave one
    out), taken over as many training samples as there are fakes. A fresh sample of the same
    distribution is about that far away, whatever the number of training samples.

    Args:
        train: Features of the training set, shape (N, D).
        fake: Features of generated samples, shape (M, D).
        threshold: Share of the scale below which a fake counts as a copy, positive.
        seed: Seed of the choice of training samples that set the scale.

    Returns:
        ``memorization``, the share of fakes that are copies, in [0, 1], and
        ``nearest_train_distance``, the median distance of a fake to the nearest training sample
        in units of the scale: 0 for copies, about 1 for fresh real samples; float64 scalars.

    Raises:
        InputError: There are fewer than two samples, the features cannot be compared, or more than
            half of the training samples have an exact copy.
    """
    check_sets("memorization", train, fake, at_least=2)
    scale = median_spacing(statistic(_spacings_of_some, train, len(fake), seed))
    distances = nearest_rows(fake, train, k=1)[0] / scale
    return {
        "memorization": (distances < threshold).double().mean(),
        "nearest_train_distance": distances.quantile(0.5),
    }


def _spacings_of_some(train: Tensor, n: int, seed: int) -> Tensor:
    """Return the distances of n random samples, or all, to the nearest others."""
    return spacing(shuffle(train, seed), n)
