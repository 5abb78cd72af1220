"""The share of near-copies against brute force and on sets where it is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_gan.errors import InputError
from lightning_gan.metrics.duplicates import Duplicates, duplicates


def samples(n, dim=8, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def by_loops(real, fake, threshold):
    def spacing(rows):
        rows = rows.double().numpy()
        return np.array(
            [np.linalg.norm(np.delete(rows, i, axis=0) - rows[i], axis=1).min() for i in range(n)]
        )

    n = len(real)
    limit = threshold * np.median(spacing(real))
    return np.mean(spacing(fake) < limit), np.mean(spacing(real) < limit)


@pytest.mark.parametrize("threshold", [0.25, 0.7, 1.0])
def test_agrees_with_brute_force(threshold):
    real, fake = samples(80, 3), 0.8 * samples(80, 3, seed=1)
    share, share_of_real = by_loops(real, fake, threshold)
    result = duplicates(real, fake, threshold)
    assert result["duplicates"].item() == share
    assert result["duplicates_real"].item() == share_of_real
    assert threshold < 1 or 0.4 < share_of_real <= 0.5


def test_collapse_and_fresh_samples():
    real = samples(300)
    prototypes = samples(20, seed=2).repeat(15, 1) + 0.01 * samples(300, seed=3)
    assert duplicates(real, prototypes)["duplicates"] == 1
    assert duplicates(real, samples(300, seed=4)) == {"duplicates": 0, "duplicates_real": 0}
    half = torch.cat([samples(150, seed=5), prototypes[:150]])
    assert duplicates(real, half)["duplicates"] == 0.5


def test_the_unit_of_the_features_does_not_matter():
    real, fake = samples(100, 2), samples(100, 2, seed=6)
    assert duplicates(real, fake) == duplicates(128 * real, 128 * fake)
    assert duplicates(real, fake)["duplicates"] > 0


def test_sets_are_cut_to_one_size():
    """With 3,000 against 100 in a plane, uncut fakes would lie far closer to one another."""
    real, fake = samples(100, 2), samples(3000, 2, seed=7)
    uncut = (torch.cdist(fake, fake).fill_diagonal_(torch.inf).min(1).values).median()
    cut = duplicates(real, fake)
    assert uncut < 0.25 * torch.cdist(real, real).fill_diagonal_(torch.inf).min(1).values.median()
    assert cut["duplicates"] < 0.2
    assert cut == duplicates(real, fake.flip(0))
    assert cut != duplicates(real, fake, seed=1)
    assert duplicates(fake, real)["duplicates"] < 0.2


def test_the_class_gathers():
    real, fake = samples(60, 2), samples(50, 2, seed=8)
    metric = Duplicates(threshold=0.5, seed=2)
    for piece in real.split(10):
        metric.update(piece, real=True)
    metric.update(fake, real=False)
    before = torch.get_rng_state()
    result = metric.compute()
    assert torch.equal(torch.get_rng_state(), before)
    assert result == duplicates(real, fake, threshold=0.5, seed=2)
    assert result["duplicates"].dtype == torch.float64


def test_errors():
    with pytest.raises(InputError, match="threshold must be positive, got 0"):
        Duplicates(threshold=0)
    metric = Duplicates()
    metric.update(torch.zeros(3, 2), real=True)
    with pytest.raises(
        InputError,
        match="the share of duplicates needs at least 2 real and 2 fake samples, got 3 real and 0",
    ):
        metric.compute()
    metric.update(torch.randn(3, 2), real=False)
    with pytest.raises(InputError, match="more than half of the real samples have an exact copy"):
        metric.compute()
