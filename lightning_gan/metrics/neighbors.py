"""Nearest neighbors by exact Euclidean distance, in blocks that bound the memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_gan.errors import InputError
from lightning_gan.metrics.row_statistics import statistic

_BLOCK = 2**20  # float64 numbers held at once in each intermediate tensor: 8 MiB, for the caches
_WIDTH = 2**11  # columns of a block, a multiple of _GROUP; long rows of a few would be slow
_GROUP = 16  # columns of which the smallest is found first
_SHARED = 5  # neighbors that are looked for at least, so that metrics can share one search
_ROUNDING = 64 * torch.finfo(torch.float64).eps


@torch.no_grad()
def nearest_rows(
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
    padding = -len(reference) % _GROUP  # rows that are infinitely far away
    norms = F.pad(reference.square().sum(dim=1), (0, padding), value=torch.inf)
    reference = F.pad(reference, (0, 0, 0, padding))
    distances = reference.new_empty(len(queries), k)
    indices = torch.empty_like(distances, dtype=torch.int64)
    for where in _blocks(len(queries), chunk // max(_WIDTH, k * reference.shape[1])):
        rows = queries[where].double() - center
        nearby, columns = [], []
        # Squared distances less the row's own squared norm, which does not change their order.
        for span, block in _products(rows, reference, norms):
            if exclude_self:
                block.diagonal(where.start - span.start).fill_(torch.inf)
            best = _smallest(block, min(k, block.shape[1]))
            nearby.append(block.gather(1, best))
            columns.append(best + span.start)
        best = torch.cat(nearby, dim=1).topk(k, largest=False).indices
        found = torch.cat(columns, dim=1).gather(1, best)
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
    of_ball = _norms(centers) - radii.square()
    balls_of_points = torch.zeros(len(points), dtype=torch.int64, device=centers.device)
    points_of_balls = torch.zeros(len(centers), dtype=torch.int64, device=centers.device)
    for where in _blocks(len(points), chunk // max(_WIDTH, centers.shape[1])):
        rows = points[where].double() - center
        of_point = _norms(rows)[:, None]
        for span, block in _products(rows, centers, of_ball):
            inside = block <= -of_point
            balls_of_points[where] += inside.sum(dim=1)
            points_of_balls[span] += inside.sum(dim=0)
    return balls_of_points, points_of_balls


@torch.no_grad()
def lie_in_balls(
    a: Tensor, b: Tensor, radii_a: Tensor, radii_b: Tensor, chunk: int = _BLOCK
) -> tuple[Tensor, Tensor]:
    """Find out which samples of two sets lie in a ball around any sample of the other set.

    Balls are closed, as in :func:`count_in_balls`.

    Args:
        a: Shape (N, D), finite.
        b: Shape (M, D), finite.
        radii_a: Radii of the balls around ``a``, float64, shape (N,).
        radii_b: Radii of the balls around ``b``, float64, shape (M,).
        chunk: Numbers held at once in each intermediate tensor (8 bytes each).

    Returns:
        For each of ``a`` and for each of ``b`` whether it does, bool, shapes (N,) and (M,).
    """
    center, b = _centered(b)
    inside_b = torch.zeros(len(a), dtype=torch.bool, device=b.device)
    inside_a = torch.zeros(len(b), dtype=torch.bool, device=b.device)
    of_b, squares_b = _norms(b), radii_b.square()
    for where in _blocks(len(a), chunk // max(_WIDTH, b.shape[1])):
        rows, squares_a = a[where].double() - center, radii_a[where].square()
        of_a = _norms(rows)
        for span, block in _products(rows, b, of_b):
            inside_b[where] |= (block - squares_b[span]).amin(dim=1) <= -of_a
            inside_a[span] |= block.add_((of_a - squares_a)[:, None]).amin(dim=0) <= 0
    return inside_b, inside_a


def radii_of(samples: Tensor, k: int) -> Tensor:
    """Return the distance of each sample to its k-th nearest other one, from one search for all.

    Args:
        samples: Shape (N, D), N >= 2, finite.
        k: The neighbor, 1..N - 1.

    Returns:
        Distances, float64, shape (N,).

    Raises:
        InputError: There are fewer than k other samples.
    """
    shared = max(k, min(_SHARED, len(samples) - 1))
    return statistic(_distances_to_others, samples, shared)[:, k - 1]


def spacing(samples: Tensor, n: int | None = None) -> Tensor:
    """Return the distance of each sample to the nearest other one.

    Args:
        samples: Shape (N, D), N >= 2, finite.
        n: Measure the first n samples only, against all others; None measures all.

    Returns:
        Distances, float64, shape (n,).
    """
    if n is None:
        return radii_of(samples, k=1)
    return nearest_rows(samples[:n], samples, k=1, exclude_self=True)[0].squeeze(1)


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


def _distances_to_others(samples: Tensor, k: int) -> Tensor:
    return nearest_rows(samples, samples, k, exclude_self=True)[0]


def _smallest(block: Tensor, k: int) -> Tensor:
    """Return the columns of the k smallest numbers of each row, shape (N, k).

    They lie in the k groups of columns with the smallest minima, and minima are found several
    times faster than the smallest k.

    Args:
        block: Shape (N, M), M a multiple of _GROUP.
        k: How many, 1..M.
    """
    width = block.shape[1] // _GROUP
    if k >= width:
        return block.topk(k, largest=False).indices
    minima = block.view(len(block), _GROUP, width).amin(dim=1)
    groups = minima.topk(k, largest=False).indices
    members = torch.arange(_GROUP, device=block.device) * width
    columns = (groups[:, :, None] + members).flatten(1)
    places = block.gather(1, columns).topk(k, largest=False).indices
    return columns.gather(1, places)


def _products(rows: Tensor, reference: Tensor, norms: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield ``norms - 2 q r`` of all rows q and some of the reference r at a time.

    Args:
        rows: Centered, float64, shape (N, D).
        reference: Centered, float64, shape (M, D).
        norms: Shape (M,).

    Yields:
        Which of the reference, and the products of shape (N, _WIDTH or fewer).
    """
    for span in _blocks(len(reference), _WIDTH):
        yield span, torch.addmm(norms[span], rows, reference[span].T, alpha=-2)


def _norms(rows: Tensor) -> Tensor:
    """Return squared norms, less what rounding may add to the distances made of them."""
    return rows.square().sum(dim=1) * (1 - _ROUNDING)


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
