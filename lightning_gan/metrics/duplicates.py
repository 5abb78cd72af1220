"""Near-copies among generated samples."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.metrics.neighbors import median_spacing, spacing
from lightning_gan.metrics.rows import RowMetric, check_sets, shuffle


class Duplicates(RowMetric):
    """Share of generated samples that nearly repeat another generated sample.

    See :func:`duplicates`. About 1 for a collapsed generator, about the share of the real data
    for a good one. Smaller is better.

    Args:
        threshold: Distance below which two samples are near-copies, in typical distances between
            nearest real samples.
        seed: Seed of the choice of samples where the sets differ in size; no global random state
            is touched.

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
        """Return ``duplicates`` and ``duplicates_real``, float64 scalars.

        Raises:
            InputError: A set has fewer than two samples, a feature is not finite, or most real
                samples are exact copies of each other.
        """
        return duplicates(self._rows("real"), self._rows("fake"), self.threshold, self.seed)


def duplicates(
    real: Tensor, fake: Tensor, threshold: float = 0.25, seed: int = 0
) -> dict[str, Tensor]:
    """Return the share of samples whose nearest other sample of their own set is a near-copy.

    Two samples are near-copies when they are closer than ``threshold`` times the median distance
    of a real sample to its nearest other real sample. The real data are the yardstick, so the
    share means the same in every feature space; and it is measured on them too, because real data
    hold some near-copies of their own, the more the fewer dimensions they really fill. Nearest
    distances shrink with the number of samples: both sets are cut to the size of the smaller.

    Args:
        real: Features of real samples, shape (N, D).
        fake: Features of generated samples, shape (M, D).
        threshold: Share of the typical distance, positive.
        seed: Seed of the choice from the larger set.

    Returns:
        ``duplicates`` for the fakes and ``duplicates_real`` for the real samples, both in [0, 1],
        float64 scalars.

    Raises:
        InputError: There are fewer than two samples, the features cannot be compared, or more than
            half of the real samples have an exact copy.
    """
    check_sets("the share of duplicates", real, fake, at_least=2)
    n = min(len(real), len(fake))
    of_real, of_fake = (spacing(_choice(rows, n, seed)) for rows in (real, fake))
    limit = threshold * median_spacing(of_real)
    return {
        "duplicates": (of_fake < limit).double().mean(),
        "duplicates_real": (of_real < limit).double().mean(),
    }


def _choice(rows: Tensor, n: int, seed: int) -> Tensor:
    return rows if len(rows) == n else shuffle(rows, seed)[:n]
