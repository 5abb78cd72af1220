"""Nearest neighbors by exact Euclidean distance, in blocks that bound the memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from lightning_gan.errors import InputError

_BLOCK = 2**22  # float64 numbers held at once in each intermediate tensor: 32 MiB
_ROUNDING = 64 * torch.finfo(torch.float64).eps


@torch.no_grad()
def nearest(
    queries: Tensor,
    reference: Tensor,
    k: int,
    exclude_self: bool = False,
    chunk: int = _BLOCK,
) -> tuple[Tensor, Tensor]:
    """Find the k nearest reference rows of each query.

    Neighbors are ranked by matrix products on centered float64 copies and then measured by
    subtraction, so that an exact copy is at distance 0.

    Args:
        queries: Shape (N, D), finite.
        reference: Shape (M, D), finite.
        k: Number of neighbors, 1..M.
        exclude_self: Query i is reference row i and is not its own neighbor (leave one out); the
            queries are the first N rows of the reference.
        chunk: Numbers held at once in each intermediate tensor (8 bytes each).

    Returns:
        Distances, float64, nearest first, and row numbers in the reference, both of shape (N, k).

    Raises:
        InputError: The reference has fewer than k rows to choose from.
    """
    others = len(reference) - exclude_self
    if not 1 <= k <= others:
        raise InputError(
            f"k must lie in 1..{others}, the number of other samples, got {k}: lower k or give "
            "more samples"
        )
    center, reference = _centered(reference)
    norms = reference.square().sum(dim=1)
    distances = reference.new_empty(len(queries), k)
    indices = torch.empty_like(distances, dtype=torch.int64)
    for where in _blocks(len(queries), chunk // max(len(reference), k * reference.shape[1])):
        rows = queries[where].double() - center
        # Squared distances less the row's own squared norm, which does not change their order.
        block = torch.addmm(norms, rows, reference.T, alpha=-2)
        if exclude_self:
            block.diagonal(where.start).fill_(torch.inf)
        found = block.topk(k, largest=False).indices
        measured = torch.linalg.vector_norm(rows[:, None] - reference[found], dim=2)
        distances[where], order = measured.sort(dim=1)
        indices[where] = found.gather(1, order)
    return distances, indices


@torch.no_grad()
def count_in_balls(
    points: Tensor, centers: Tensor, radii: Tensor, chunk: int = _BLOCK
) -> tuple[Tensor, Tensor]:
    """Count which points lie in which balls.

    Balls are closed: a point on the boundary, to the rounding of float64, is inside.

    Args:
        points: Shape (N, D), finite.
        centers: Centers of the balls, shape (M, D), finite.
        radii: Radii of the balls, float64, shape (M,).
        chunk: Numbers held at once in each intermediate tensor (8 bytes each).

    Returns:
        For each point the number of balls around it, shape (N,), and for each ball the number of
        points in it, shape (M,), both int64.
    """
    center, centers = _centered(centers)
    # |p - c|^2 <= r^2, sorted by what depends on the ball, on both and on the point alone.
    of_ball = centers.square().sum(dim=1) * (1 - _ROUNDING) - radii.square()
    balls_of_points = torch.zeros(len(points), dtype=torch.int64, device=centers.device)
    points_of_balls = torch.zeros(len(centers), dtype=torch.int64, device=centers.device)
    for where in _blocks(len(points), chunk // max(centers.shape)):
        rows = points[where].double() - center
        of_point = rows.square().sum(dim=1, keepdim=True) * (1 - _ROUNDING)
        inside = torch.addmm(of_ball, rows, centers.T, alpha=-2) <= -of_point
        balls_of_points[where] = inside.sum(dim=1)
        points_of_balls += inside.sum(dim=0)
    return balls_of_points, points_of_balls


def spacing(samples: Tensor, n: int | None = None) -> Tensor:
    """Return the distance of each sample to the nearest other one.

    Args:
        samples: Shape (N, D), N >= 2, finite.
        n: Measure the first n samples only, against all others; None measures all.

    Returns:
        Distances, float64, shape (n,).
    """
    return nearest(samples[:n], samples, k=1, exclude_self=True)[0].squeeze(1)


def median_spacing(spacings: Tensor) -> Tensor:
    """Return the median of distances from :func:`spacing`, the yardstick for near-copies.

    Args:
        spacings: Distances between nearest real samples, shape (n,).

    Returns:
        Positive float64 scalar.

    Raises:
        InputError: The median is 0, since most samples are exact copies of another.
    """
    median = spacings.quantile(0.5)
    if median == 0:
        raise InputError(
            "near-copies are measured by the median distance between nearest real samples, which "
            "is 0 here because more than half of the real samples have an exact copy among them: "
            "remove the copies from the data"
        )
    return median


def _centered(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean row and the rows less it; a common offset would eat up digits."""
    rows = rows.double()
    center = rows.mean(dim=0)
    return center, rows - center


def _blocks(n: int, size: int) -> Iterator[slice]:
    """Divide n rows into slices of ``size`` rows, at least one."""
    size = max(size, 1)
    for start in range(0, n, size):
        yield slice(start, start + size)
