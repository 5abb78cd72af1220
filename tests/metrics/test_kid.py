"""KID against torchmetrics and its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import poly_mmd

from lightning_gan.errors import InputError
from lightning_gan.metrics.kid import KID, kernel_distance, polynomial_mmd


def sets(n=60, m=40, dim=6, shift=0.3):
    source = torch.Generator().manual_seed(0)
    return (
        torch.randn(n, dim, generator=source),
        torch.randn(m, dim, generator=source) + shift,
    )


def by_loops(x, y):
    """The unbiased estimator, pair by pair."""
    x, y = x.double().numpy(), y.double().numpy()

    def kernel(a, b):
        return (np.dot(a, b) / len(a) + 1) ** 3

    within_x = [kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    within_y = [kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j]
    across = [kernel(a, b) for a in x for b in y]
    return np.mean(within_x) + np.mean(within_y) - 2 * np.mean(across)


def test_mmd_is_the_mean_over_pairs():
    x, y = sets(9, 7)
    assert polynomial_mmd(x.double(), y.double()).item() == pytest.approx(by_loops(x, y), rel=1e-12)


def test_agrees_with_torchmetrics_on_whole_sets():
    real, fake = sets(50, 50)
    theirs = poly_mmd(real.double(), fake.double()).item()
    result = kernel_distance(real, fake, subsets=3, subset_size=50)
    assert result["kid"].item() == pytest.approx(theirs, rel=1e-9)
    assert result["kid_std"].item() == pytest.approx(0, abs=1e-12)


def test_mean_and_deviation_over_subsets_agree_with_torchmetrics():
    real, fake = sets(400, 300)
    result = kernel_distance(real, fake, subsets=400, subset_size=50)
    values = torch.stack(
        [
            poly_mmd(real[torch.randperm(400)[:50]], fake[torch.randperm(300)[:50]])
            for _ in range(400)
        ]
    )
    error = 4 * values.std().item() / np.sqrt(400) * np.sqrt(2)
    assert result["kid"].item() == pytest.approx(values.mean().item(), abs=error)
    assert result["kid_std"].item() == pytest.approx(values.std().item(), rel=0.2)


def test_unbiased_where_the_distributions_are_equal():
    real, fake = sets(2000, 2000, shift=0.0)
    result = kernel_distance(real, fake, subsets=200, subset_size=20)
    assert abs(result["kid"]) < 4 * result["kid_std"] / np.sqrt(200)
    assert kernel_distance(real, fake + 0.5, subsets=20, subset_size=50)["kid"] > 0.1


def test_the_class_gathers_and_leaves_the_global_seed_alone():
    real, fake = sets()
    metric = KID(subsets=5, subset_size=20, seed=3)
    for piece in real.split(7):
        metric.update(piece, real=True)
    metric.update(fake, real=False)
    before = torch.get_rng_state()
    result = metric.compute()
    assert torch.equal(torch.get_rng_state(), before)
    assert result == kernel_distance(real, fake, subsets=5, subset_size=20, seed=3)
    assert result["kid"].dtype == torch.float64


def test_depends_on_the_seed_and_not_on_the_order_of_samples():
    real, fake = sets()
    first = kernel_distance(real, fake, subsets=4, subset_size=10)
    shuffled = kernel_distance(real.flip(0), fake.roll(5, 0), subsets=4, subset_size=10)
    other = kernel_distance(real, fake, subsets=4, subset_size=10, seed=1)
    assert first == shuffled
    assert first["kid"] != other["kid"]


def test_errors():
    with pytest.raises(InputError, match="subsets must be at least 1 and subset_size at least 2"):
        KID(subsets=0)
    with pytest.raises(InputError, match="subset_size at least 2, got 100 and 1"):
        KID(subset_size=1)
    real, fake = sets()
    metric = KID(subset_size=50)
    metric.update(real, real=True)
    with pytest.raises(InputError, match="KID needs at least 2 real and 2 fake samples, got 60 "):
        metric.compute()
    metric.update(fake, real=False)
    with pytest.raises(
        InputError,
        match="KID draws subsets of 50 samples, got 60 real and 40 fake ones: set subset_size to "
        "40 or less, or give more samples",
    ):
        metric.compute()
    with pytest.raises(InputError, match=r"KID's fake samples must be finite.* in 1 of 40"):
        kernel_distance(real, fake.index_fill(0, torch.tensor([3]), torch.inf), subset_size=9)
