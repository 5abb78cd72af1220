"""Density and coverage against brute force, and in bounded memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from lightning_gan.errors import InputError
from lightning_gan.metrics.density_coverage import DensityCoverage, density_coverage


def sets(n=60, m=45, dim=3, shift=0.7):
    source = torch.Generator().manual_seed(0)
    return (
        torch.randn(n, dim, generator=source),
        0.8 * torch.randn(m, dim, generator=source) + shift,
    )


def by_loops(real, fake, k):
    real, fake = real.double().numpy(), fake.double().numpy()
    hits, covered = 0, 0
    for center in real:
        radius = np.sort(np.linalg.norm(real - center, axis=1))[k]
        inside = np.linalg.norm(fake - center, axis=1) <= radius
        hits += inside.sum()
        covered += inside.any()
    return hits / (k * len(fake)), covered / len(real)


@pytest.mark.parametrize("k", [1, 5, 9])
def test_agrees_with_brute_force(k):
    real, fake = sets()
    density, coverage = by_loops(real, fake, k)
    result = density_coverage(real, fake, k)
    assert result["density"].item() == pytest.approx(density, rel=1e-12)
    assert result["coverage"].item() == pytest.approx(coverage, rel=1e-12)
    assert 0 < coverage < 1


def test_equal_distributions():
    """Naeem et al. 2020: the expected density is 1, the coverage about 1 - 2^-k."""
    source = torch.Generator().manual_seed(1)
    real, fake = torch.randn(2, 1000, 4, generator=source)
    result = density_coverage(real, fake)
    assert result["density"].item() == pytest.approx(1, abs=0.06)
    assert result["coverage"].item() == pytest.approx(1 - 2**-5, abs=0.02)


def test_copies_collapse_and_noise():
    real, _ = sets(200, dim=8)
    copies = density_coverage(real, real, k=5)
    assert copies["density"].item() == pytest.approx(6 / 5)  # k neighbors and the center
    assert copies["coverage"] == 1
    assert density_coverage(real, real[:1].repeat(50, 1))["coverage"] < 0.1
    assert density_coverage(real, real + 1000) == {"density": 0, "coverage": 0}


def test_the_class_gathers():
    real, fake = sets()
    metric = DensityCoverage(k=2)
    for piece in real.split(10):
        metric.update(piece, real=True)
    metric.update(fake, real=False)
    result = metric.compute()
    assert result == density_coverage(real, fake, k=2)
    assert result["density"].dtype == torch.float64


def test_errors():
    with pytest.raises(InputError, match="k must be at least 1, got -1"):
        DensityCoverage(k=-1)
    metric = DensityCoverage()
    metric.update(torch.randn(50, 2), real=True)
    with pytest.raises(
        InputError,
        match="density and coverage with k=5 needs at least 6 real and 6 fake samples, got 50 "
        "real and 0 fake ones: give more samples",
    ):
        metric.compute()
    metric.update(torch.full((10, 2), torch.inf), real=False)
    with pytest.raises(InputError, match="fake samples must be finite, .* in 10 of 10"):
        metric.compute()


MEMORY = """
import resource, torch
from lightning_gan.metrics.density_coverage import density_coverage
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
torch.set_num_threads(1)
density_coverage(torch.randn(9, 4), torch.randn(9, 4))
real, fake = torch.randn(6000, 32), torch.randn(6000, 32)
before = peak()
density_coverage(real, fake)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts resident memory as Linux does")
def test_the_matrix_of_distances_is_never_whole():
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, timeout=600, check=True
    )
    whole = 6000 * 6000 * 8 // 2**20
    assert int(done.stdout) < whole / 2
