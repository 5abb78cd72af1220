"""Kernel distance between two sets of features."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.metrics.row_statistics import statistic
from lightning_gan.metrics.rows import RowMetric, check_sets, shuffle

_PIECE = 250  # rows of a symmetric matrix that are computed at a time


class KID(RowMetric):
    """Squared maximum mean discrepancy between real and generated features.

    Bińkowski et al. 2018; see :func:`kernel_distance`. Unbiased for every number of
    samples, so it may be slightly negative. Smaller is better.

    ``torchmetrics.image.KernelInceptionDistance`` draws its subsets from the global random state.

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
    settings = (len(fake), subsets, subset_size, seed)
    if real.requires_grad:  # a kept value has no gradient
        within_real = _within_subsets(real, *settings)
    else:
        within_real = statistic(_within_subsets, real, *settings)
    real, fake = shuffle(real, seed).double(), shuffle(fake, seed).double()
    pairs = _subsets(len(real), len(fake), subsets, subset_size, seed)
    values = torch.stack(
        [
            polynomial_mmd(_chosen(real, a), _chosen(fake, b), within)
            for (a, b), within in zip(pairs, within_real, strict=True)
        ]
    )
    return {"kid": values.mean(), "kid_std": values.std(correction=0)}


def polynomial_mmd(x: Tensor, y: Tensor, within_x: Tensor | None = None) -> Tensor:
    r"""Return the unbiased estimate of the squared MMD with a cubic kernel.

    Gretton et al. 2012, equation 3, with :math:`k(x, y) = (x^T y / D + 1)^3` (Bińkowski et al.
    2018).

    Args:
        x: Shape (N, D), N >= 2.
        y: Shape (M, D), M >= 2.
        within_x: The mean kernel of different rows of x where it is known, a scalar.

    Returns:
        Scalar in the dtype of the input.
    """
    if within_x is None:
        within_x = _mean_within(x)
    return within_x + _mean_within(y) - 2 * _kernel(x, y).mean()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return torch.addmm(x.new_ones(()), x, y.T, alpha=1 / x.shape[1]).pow_(3)


def _mean_within(x: Tensor) -> Tensor:
    """Return the mean kernel of different rows; of a symmetric matrix little more than half."""
    n, total = len(x), x.new_zeros(())
    for start in range(0, n, _PIECE):
        block = _kernel(x[start : start + _PIECE], x[start:])
        own = block[:, : len(block)]
        total += 2 * block.sum() - own.sum() - own.trace()
    return total / (n * (n - 1))


def _within_subsets(real: Tensor, n_fake: int, subsets: int, subset_size: int, seed: int) -> Tensor:
    """Return the mean kernel of different rows of each real subset, shape (subsets,)."""
    real = shuffle(real, seed).double()
    pairs = _subsets(len(real), n_fake, subsets, subset_size, seed)
    return torch.stack([_mean_within(_chosen(real, places)) for places, _ in pairs])


def _subsets(n: int, m: int, subsets: int, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield places of random subsets of n and of m samples, in pairs."""
    source = torch.Generator().manual_seed(seed)
    for _ in range(subsets):
        # In this order: the second choice depends on the first one's use of the source.
        first = torch.randperm(n, generator=source)[:size]
        yield first, torch.randperm(m, generator=source)[:size]


def _chosen(rows: Tensor, places: Tensor) -> Tensor:
    return rows[places.to(rows.device)]
