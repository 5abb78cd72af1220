"""Frechet distance between two sets of features."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_gan.errors import InputError
from lightning_gan.metrics.rows import check_rows

WELL_CONDITIONED = 1e-5  # smallest over largest pivot; their squares bound the condition number


class FID(Metric):
    """Frechet distance between Gaussians fitted to real and to generated features.

    Heusel et al. 2017, equation 6; see :func:`frechet_distance`. Smaller is better; 0 for equal
    means and covariances. The distance of finite sets is biased upward, the more so the fewer
    samples and the more features there are: compare only numbers of the same N.

    ``torchmetrics.image.FrechetInceptionDistance`` takes images and roots of the eigenvalues of a
    product of covariances, which rounding pushes off zero where one is singular; this one takes
    features of any network, and its trace is exact there.

    Sums are kept in float64 and added over processes. Feed the real side once and score many
    generators with ``metric.clone()``.

    Args:
        feature_dim: Number of features D.

    Raises:
        InputError: ``feature_dim`` is not positive.

    Example:
        >>> fid = FID(feature_dim=2)
        >>> fid.update(torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), real=True)
        >>> fid.update(torch.tensor([[3.0, 4.0], [4.0, 5.0], [3.0, 5.0]]), real=False)
        >>> round(float(fid.compute()), 6)
        25.0
    """

    full_state_update: bool = False
    is_differentiable: bool = False
    higher_is_better: bool = False

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        if feature_dim < 1:
            raise InputError(f"feature_dim must be at least 1, got {feature_dim}")
        self.feature_dim = feature_dim
        shapes = {"n": (), "sum": (feature_dim,), "outer": (feature_dim, feature_dim)}
        for side in ("real", "fake"):
            for name, shape in shapes.items():
                zeros = torch.zeros(shape, dtype=torch.float64)
                self.add_state(f"{side}_{name}", zeros, dist_reduce_fx="sum")

    def update(self, features: Tensor, real: bool) -> None:
        """Add samples to one of the two sets.

        Args:
            features: One row a sample, floating-point, shape (N, feature_dim).
            real: Whether they are real samples; else generated ones.

        Raises:
            InputError: The shape or dtype is another.
        """
        side = "real" if real else "fake"
        check_rows(features, f"FID's {side} samples")
        if features.shape[1] != self.feature_dim:
            raise InputError(
                f"FID's {side} samples must have {self.feature_dim} columns, got "
                f"{features.shape[1]}: use FID(feature_dim={features.shape[1]})"
            )
        rows = features.detach().to(self.device, torch.float64)
        for name, term in (("n", len(rows)), ("sum", rows.sum(dim=0)), ("outer", rows.T @ rows)):
            setattr(self, f"{side}_{name}", getattr(self, f"{side}_{name}") + term)

    def compute(self) -> Tensor:
        """Return the distance, a float64 scalar.

        Raises:
            InputError: A set has fewer than two samples, or a feature is not finite.
        """
        n_real, n_fake = int(self._state("real", "n")), int(self._state("fake", "n"))
        if min(n_real, n_fake) < 2:
            raise InputError(
                f"FID needs at least 2 real and 2 fake samples, got {n_real} real and {n_fake} "
                "fake ones: give more samples"
            )
        return frechet_distance(*self._moments("real"), *self._moments("fake"))

    def _moments(self, side: str) -> tuple[Tensor, Tensor]:
        total, outer = self._state(side, "sum"), self._state(side, "outer")
        if not (total.isfinite().all() and outer.isfinite().all()):
            raise InputError(
                f"FID's {side} samples must be finite, got NaN or infinity: look for NaN in the "
                "images, and evaluate an earlier checkpoint if training diverged"
            )
        return moments(total, outer, int(self._state(side, "n")))

    def _state(self, side: str, name: str) -> Tensor:
        state: Tensor = getattr(self, f"{side}_{name}")
        return state


def moments(total: Tensor, outer: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return mean and unbiased covariance from sums over samples.

    Args:
        total: Sum of x, float64, shape (D,).
        outer: Sum of x x^T, float64, shape (D, D).
        n: Number of samples, at least 2.

    Returns:
        Mean of shape (D,) and covariance of shape (D, D), float64.
    """
    mean = total / n
    return mean, (outer - n * torch.outer(mean, mean)) / (n - 1)


def frechet_distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> Tensor:
    r"""Return the squared Frechet (2-Wasserstein) distance of two Gaussians.

    :math:`|m_a - m_b|^2 + \mathrm{tr}(A + B - 2 (A^{1/2} B A^{1/2})^{1/2})` (Dowson and Landau
    1982; Heusel et al. 2017, equation 6, where :math:`(A B)^{1/2}` has the same
    trace). With any root :math:`A = R R^T`, the matrix under the root has the eigenvalues of
    :math:`R^T B R`: one symmetric eigenproblem, without its vectors.

    A covariance from fewer samples than dimensions is singular. The distance is still defined;
    eigenvalues below D times the rounding error of the largest count as zero, so that the noise
    of the empty directions, magnified by the root, does not enter. Such a number is dominated
    by the smallness of the sample.

    Args:
        mean_a: Mean of A, shape (D,).
        cov_a: Covariance of A, symmetric positive semidefinite, shape (D, D).
        mean_b: Mean of B, shape (D,).
        cov_b: Covariance of B, shape (D, D).

    Returns:
        Float64 scalar; rounding below zero is cut off.
    """
    mean_a, cov_a, mean_b, cov_b = (x.double() for x in (mean_a, cov_a, mean_b, cov_b))
    root = _root(cov_a)
    values = torch.linalg.eigvalsh(root.T @ cov_b @ root)
    trace_of_root = values[_above_rounding(values)].sqrt().sum()
    shift = (mean_a - mean_b).square().sum()
    return torch.clamp(shift + cov_a.trace() + cov_b.trace() - 2 * trace_of_root, min=0)


def _root(cov: Tensor) -> Tensor:
    """Return R of shape (D, rank) with R R^T = cov: triangular, where cov is far from singular."""
    lower: Tensor
    lower, failed = torch.linalg.cholesky_ex(cov)
    pivots = lower.diagonal()
    if not failed and pivots.min() > WELL_CONDITIONED * pivots.max():
        return lower
    values, vectors = torch.linalg.eigh(cov)  # several times slower
    kept = _above_rounding(values)
    root: Tensor = vectors[:, kept] * values[kept].sqrt()
    return root


def _above_rounding(values: Tensor) -> Tensor:
    """Mark the eigenvalues that are more than rounding; ``values`` ascend."""
    return values > len(values) * torch.finfo(values.dtype).eps * values[-1:]
