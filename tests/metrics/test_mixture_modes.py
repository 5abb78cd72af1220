"""Modes of a mixture, against hand-made samples."""

from __future__ import annotations

import math

import pytest
import torch

from lightning_gan import InputError
from lightning_gan.data import MixtureGrid
from lightning_gan.metrics.mixture_modes import MixtureModes

GRID = MixtureGrid(std=0.01)


def points(n=25_000, std=None, seed=0):
    """Samples of the grid, of another width where that is given."""
    source = torch.Generator().manual_seed(seed)
    samples, labels = GRID.sample(n, source)
    centers = GRID.modes[labels]
    return centers + (samples - centers) * (1 if std is None else std / GRID.std), labels


def scores(*batches, modes=GRID.modes, std=GRID.std):
    metric = MixtureModes(modes, std)
    for batch in batches:
        metric.update(batch)
    return {name: value.item() for name, value in metric.compute().items()}


def test_the_data_themselves_score_what_theory_says():
    found = scores(points()[0])
    assert found["modes"] == 25
    share, n = 1 - math.exp(-4.5), 25_000
    error = math.sqrt(share * (1 - share) / n)
    assert found["within_three_sigma"] == pytest.approx(share, abs=4 * error)
    assert found["spread"] == pytest.approx(1, abs=4 / math.sqrt(2 * 2 * n))
    assert found["narrowest_mode"] > 0.9
    assert 0.85 < found["rarest_mode"] < 1


@pytest.mark.parametrize("width", [0.5, 0.8])
def test_collapse_inside_modes_is_seen_by_the_spread_alone(width):
    found = scores(points(std=width * GRID.std)[0])
    assert found["modes"] == 25
    assert found["within_three_sigma"] > 1 - math.exp(-4.5)
    assert found["spread"] < 0.9
    beyond = math.exp(-((3 / width) ** 2) / 2)
    kept = 1 - (3 / width) ** 2 / 2 * beyond / (1 - beyond)
    whole = 1 - 4.5 * math.exp(-4.5) / (1 - math.exp(-4.5))
    assert found["spread"] == pytest.approx(width * math.sqrt(kept / whole), rel=0.02)


def test_a_background_of_bad_samples_does_not_widen_the_modes():
    noise = 2 * torch.rand(25_000, 2, generator=torch.Generator().manual_seed(1)) - 1
    found = scores(points()[0], noise)
    assert found["within_three_sigma"] == pytest.approx(0.5, abs=0.01)
    assert found["spread"] == pytest.approx(1, abs=0.02)


def test_one_narrow_mode_is_the_narrowest():
    samples, labels = points()
    narrow = torch.where((labels == 3).unsqueeze(1), GRID.modes[3] + 1e-5 * samples, samples)
    found = scores(narrow)
    assert found["narrowest_mode"] < 0.01
    assert found["spread"] == pytest.approx(24 / 25, abs=0.02)


@pytest.mark.parametrize(("kept", "modes"), [(0.0, 24), (0.05, 24), (0.15, 25)])
def test_a_mode_is_hit_by_a_tenth_of_its_samples(kept, modes):
    samples, labels = points()
    of_one = (labels == 7).nonzero().flatten()
    others = (labels != 7).nonzero().flatten()
    found = scores(samples[others], samples[of_one[: int(kept * 1000)]])
    assert found["modes"] == modes
    assert found["rarest_mode"] == pytest.approx(kept, abs=0.01)


def test_a_shifted_mode_keeps_its_spread():
    # About their own mean: 0.5 sigma off, they still are as wide as they were.
    source = torch.Generator().manual_seed(0)
    shifted = torch.tensor([0.005, 0.0]) + 0.005 * torch.randn(4000, 2, generator=source)
    found = scores(shifted, modes=[[0.0, 0.0]], std=0.01)
    assert found["spread"] == pytest.approx(0.5 / 0.9744, abs=0.02)


def test_samples_that_are_not_finite_are_bad_ones():
    broken = torch.full((25_000, 2), math.nan)
    broken[::2] = math.inf
    found = scores(points()[0], broken)
    assert found["within_three_sigma"] == pytest.approx(0.989 / 2, abs=0.002)
    assert found["modes"] == 25


def test_nothing_near_any_mode():
    found = scores(torch.full((50, 2), 0.2))
    assert (found["modes"], found["within_three_sigma"], found["rarest_mode"]) == (0, 0, 0)
    assert math.isnan(found["spread"])
    assert math.isnan(found["narrowest_mode"])


def test_batches_add_up():
    samples = points(1000)[0]
    assert scores(samples) == pytest.approx(scores(*samples.split(77)), rel=1e-9)


@pytest.mark.parametrize(
    ("modes", "std", "said"),
    [
        ([], 0.1, r"modes must be K pairs, got shape \(0,\)"),
        ([[0.0]], 0.1, r"modes must be K pairs, got shape \(1, 1\)"),
        ([[0.0, 1.0]], 0.0, "std must be positive, got 0.0"),
    ],
)
def test_wrong_arguments(modes, std, said):
    with pytest.raises(InputError, match=said):
        MixtureModes(modes, std)


def test_wrong_samples_and_none():
    metric = MixtureModes([[0.0, 0.0]], 0.1)
    with pytest.raises(InputError, match=r"samples must be points \(N, 2\), got shape \(4, 3\)"):
        metric.update(torch.zeros(4, 3))
    metric.update(torch.empty(0, 2))
    with pytest.raises(InputError, match="need at least one sample: call update first"):
        metric.compute()
