"""Density and coverage of a generator by nearest-neighbor balls of the real samples."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.metrics.neighbors import count_in_balls, radii_of
from lightning_gan.metrics.rows import RowMetric, check_sets


class DensityCoverage(RowMetric):
    """How densely fakes lie where real samples do, and how many real samples have a fake nearby.

    Naeem et al. 2020; see :func:`density_coverage`. Larger is better. With equal numbers of real
    and fake samples a perfect generator has a density of about 1 and a coverage of about
    1 - 2^-k (0.97 for k = 5); density may exceed 1. Unlike precision and recall, both use the
    balls of real samples alone, so that stray fakes cannot enlarge them.

    Args:
        k: The neighbor whose distance is a ball's radius.

    Raises:
        InputError: ``k`` is less than 1.
    """

    higher_is_better: bool = True

    def __init__(self, k: int = 5) -> None:
        super().__init__()
        if k < 1:
            raise InputError(f"k must be at least 1, got {k}")
        self.k = k

    def compute(self) -> dict[str, Tensor]:
        """Return ``density`` and ``coverage``, float64 scalars.

        Raises:
            InputError: A set has fewer than k + 1 samples, or a feature is not finite.
        """
        return density_coverage(self._rows("real"), self._rows("fake"), self.k)


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> dict[str, Tensor]:
    """Count how fakes fall into the balls that reach from real samples to their k-th neighbor.

    Density is the mean number of balls around a fake, divided by k (Naeem et al. 2020, section
    3.2); coverage the share of balls that hold a fake.

    Args:
        real: Features of real samples, shape (N, D).
        fake: Features of generated samples, shape (M, D).
        k: The neighbor, itself not counted, whose distance is the radius; at most N - 1.

    Returns:
        ``density``, at least 0, and ``coverage`` in [0, 1], float64 scalars.

    Raises:
        InputError: There are fewer than k + 1 samples, or the features cannot be compared.
    """
    check_sets(f"density and coverage with k={k}", real, fake, at_least=k + 1)
    balls_of_fakes, fakes_of_balls = count_in_balls(fake, real, radii_of(real, k))
    return {
        "density": balls_of_fakes.double().mean() / k,
        "coverage": (fakes_of_balls > 0).double().mean(),
    }
