"""Kernel distance between two sets of features."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.metrics.rows import RowMetric, check_sets, shuffle


class KID(RowMetric):
    """Squared maximum mean discrepancy between real and generated features.

    Binkowski et al. 2018, section 4; see :func:`kernel_distance`. Unbiased for every number of
    samples, so it may be slightly negative. Smaller is better.

    Args:
        subsets: Number of random subsets that are averaged.
        subset_size: Samples of each set in a subset.
        seed: Seed of the subsets; no global random state is touched.

    Raises:
        InputError: ``subsets`` is less than 1 or ``subset_size`` less than 2.
    """

    higher_is_better: bool = False

    def __init__(self, subsets: int = 100, subset_size: int = 1000, seed: int = 0) -> None:
        super().__init__()
        if subsets < 1 or subset_size < 2:
            raise InputError(
                "subsets must be at least 1 and subset_size at least 2, got "
                f"{subsets} and {subset_size}"
            )
        self.subsets = subsets
        self.subset_size = subset_size
        self.seed = seed

    def compute(self) -> dict[str, Tensor]:
        """Return ``kid``, the mean over the subsets, and ``kid_std``, float64 scalars.

        Raises:
            InputError: A set is smaller than ``subset_size``, or a feature is not finite.
        """
        return kernel_distance(
            self._rows("real"), self._rows("fake"), self.subsets, self.subset_size, self.seed
        )


def kernel_distance(
    real: Tensor, fake: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> dict[str, Tensor]:
    """Average the unbiased squared MMD over random subsets, drawn without replacement.

    Args:
        real: Features of real samples, shape (N, D).
        fake: Features of generated samples, shape (M, D).
        subsets: Number of subsets.
        subset_size: Samples of each set in a subset, at most min(N, M).
        seed: Seed of the subsets.

    Returns:
        ``kid``, the mean over the subsets, and ``kid_std``, their standard deviation (divided by
        their number, not one less), float64 scalars.

    Raises:
        InputError: A set is smaller than ``subset_size``, or the features cannot be compared.
    """
    check_sets("KID", real, fake, at_least=2)
    if subset_size > min(len(real), len(fake)):
        raise InputError(
            f"KID draws subsets of {subset_size} samples, got {len(real)} real and {len(fake)} "
            f"fake ones: set subset_size to {min(len(real), len(fake))} or less, or give more "
            "samples"
        )
    real, fake = shuffle(real, seed).double(), shuffle(fake, seed).double()
    source = torch.Generator().manual_seed(seed)
    values = torch.stack(
        [
            polynomial_mmd(_draw(real, subset_size, source), _draw(fake, subset_size, source))
            for _ in range(subsets)
        ]
    )
    return {"kid": values.mean(), "kid_std": values.std(correction=0)}


def polynomial_mmd(x: Tensor, y: Tensor) -> Tensor:
    r"""Return the unbiased estimate of the squared MMD with a cubic kernel.

    Gretton et al. 2012, equation 3, with :math:`k(x, y) = (x^T y / D + 1)^3` (Binkowski et al.
    2018, section 4).

    Args:
        x: Shape (N, D), N >= 2.
        y: Shape (M, D), M >= 2.

    Returns:
        Scalar in the dtype of the input.
    """
    return (
        _mean_off_diagonal(_kernel(x, x))
        + _mean_off_diagonal(_kernel(y, y))
        - (2 * _kernel(x, y).mean())
    )


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _mean_off_diagonal(matrix: Tensor) -> Tensor:
    n = len(matrix)
    return (matrix.sum() - matrix.trace()) / (n * (n - 1))


def _draw(rows: Tensor, n: int, source: torch.Generator) -> Tensor:
    return rows[torch.randperm(len(rows), generator=source)[:n].to(rows.device)]
