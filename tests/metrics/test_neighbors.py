"""Nearest neighbors and balls against brute force in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_gan.errors import InputError
from lightning_gan.metrics.neighbors import count_in_balls, median_spacing, nearest_rows, spacing


def rows(n, dim, seed, offset=0.0):
    source = torch.Generator().manual_seed(seed)
    return torch.randn(n, dim, generator=source).relu() + offset


def brute_force(queries, reference):
    differences = queries.double().numpy()[:, None] - reference.double().numpy()[None]
    return np.sqrt((differences**2).sum(-1))


@pytest.mark.parametrize("chunk", [1, 300, 2**22])
@pytest.mark.parametrize("exclude_self", [False, True])
def test_nearest_is_brute_force(chunk, exclude_self):
    reference = rows(50, 8, seed=0)
    queries = reference[:33] if exclude_self else rows(33, 8, seed=1)
    full = brute_force(queries, reference)
    if exclude_self:
        full[np.arange(33), np.arange(33)] = np.inf
    distances, indices = nearest_rows(queries, reference, 4, exclude_self, chunk)
    assert distances.dtype == torch.float64
    np.testing.assert_allclose(distances.numpy(), np.sort(full, axis=1)[:, :4], rtol=1e-12)
    np.testing.assert_array_equal(indices.numpy(), np.argsort(full, axis=1)[:, :4])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_copies_are_at_distance_zero(dtype, offset):
    reference = rows(200, 512, seed=2, offset=offset).to(dtype)
    distances, indices = nearest_rows(reference.flip(0), reference, k=2)
    assert distances[:, 0].eq(0).all()
    assert torch.equal(indices[:, 0], torch.arange(200).flip(0))
    full = brute_force(reference.flip(0), reference)
    np.testing.assert_allclose(distances[:, 1].numpy(), np.sort(full, axis=1)[:, 1], rtol=1e-9)


def test_leaving_out_leaves_out_the_row_and_not_its_copies():
    reference = rows(10, 4, seed=3).repeat(2, 1)
    distances, indices = nearest_rows(reference, reference, k=1, exclude_self=True)
    assert distances.eq(0).all()
    assert torch.equal(indices.squeeze(1), torch.arange(20).roll(10))


def test_the_precision_of_matrix_products_does_not_matter():
    reference, queries = rows(64, 256, seed=4), rows(64, 256, seed=5)
    expected = nearest_rows(queries, reference, k=3)
    torch.set_float32_matmul_precision("medium")
    try:
        found = nearest_rows(queries, reference, k=3)
    finally:
        torch.set_float32_matmul_precision("highest")
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


@pytest.mark.parametrize("chunk", [1, 500, 2**22])
def test_balls_are_counted_as_by_brute_force(chunk):
    points, centers = rows(40, 5, seed=6), rows(30, 5, seed=7)
    radii = torch.linspace(0.2, 2.5, 30, dtype=torch.float64)
    inside = brute_force(points, centers) <= radii.numpy()
    of_points, of_balls = count_in_balls(points, centers, radii, chunk)
    assert 0 < inside.sum() < inside.size
    np.testing.assert_array_equal(of_points.numpy(), inside.sum(1))
    np.testing.assert_array_equal(of_balls.numpy(), inside.sum(0))


@pytest.mark.parametrize("dim", [3, 2048])
def test_balls_are_closed(dim):
    """Each ball that reaches to the k-th neighbor holds k neighbors and its center."""
    samples = rows(100, dim, seed=8, offset=10.0)
    if dim == 3:
        samples = torch.randn(100, 3)
    radii = nearest_rows(samples, samples, k=4, exclude_self=True)[0][:, -1]
    assert count_in_balls(samples, samples, radii)[1].eq(5).all()
    point_like = torch.zeros(100, dtype=torch.float64)
    assert count_in_balls(samples, samples, point_like)[1].eq(1).all()


def test_spacing_of_the_first_few():
    samples = torch.tensor([[0.0], [1.0], [3.0], [3.5]])
    assert spacing(samples).tolist() == [1, 1, 0.5, 0.5]
    assert spacing(samples, n=3).tolist() == [1, 1, 0.5]
    assert spacing(samples, n=9).tolist() == [1, 1, 0.5, 0.5]
    assert median_spacing(spacing(samples)) == 0.75


def test_errors():
    samples = torch.randn(4, 2)
    with pytest.raises(
        InputError,
        match=r"k must lie in 1..3, the number of other samples, got 4: lower k or give more",
    ):
        nearest_rows(samples, samples, k=4, exclude_self=True)
    with pytest.raises(InputError, match=r"k must lie in 1..4, .* got 0"):
        nearest_rows(samples, samples, k=0)
    with pytest.raises(
        InputError,
        match="which is 0 here because more than half of the real samples have an exact copy "
        "among them: remove the copies from the data",
    ):
        median_spacing(spacing(torch.tensor([[0.0], [0.0], [0.0], [1.0]])))
