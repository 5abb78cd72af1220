"""Distances to the training set against brute force and on sets where they are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_gan.errors import InputError
from lightning_gan.metrics.memorization import Memorization, memorization


def samples(n, dim=8, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def by_loops(train, fake, threshold):
    train, fake = train.double().numpy(), fake.double().numpy()
    own = [
        np.linalg.norm(np.delete(train, i, axis=0) - x, axis=1).min() for i, x in enumerate(train)
    ]
    distances = np.array([np.linalg.norm(train - x, axis=1).min() for x in fake]) / np.median(own)
    return np.mean(distances < threshold), np.median(distances)


@pytest.mark.parametrize("threshold", [0.25, 0.9])
def test_agrees_with_brute_force(threshold):
    train, fake = samples(70, 3), samples(90, 3, seed=1)
    share, distance = by_loops(train, fake, threshold)
    result = memorization(train, fake, threshold)
    assert result["memorization"].item() == share
    assert result["nearest_train_distance"].item() == pytest.approx(distance, rel=1e-9)
    assert threshold < 0.5 or 0 < share < 1


def test_copies_of_the_training_set_and_fresh_samples():
    train = samples(2000)
    copied = memorization(train, train[:300])
    assert copied == {"memorization": 1, "nearest_train_distance": 0}
    near = memorization(train, train[:300] + 0.01 * samples(300, seed=2))
    assert near["memorization"] == 1
    assert 0 < near["nearest_train_distance"] < 0.1
    fresh = memorization(train, samples(500, seed=3))
    assert fresh["memorization"] == 0
    assert fresh["nearest_train_distance"].item() == pytest.approx(1, abs=0.1)
    far = memorization(train, samples(100, seed=4) + 10)
    assert far["nearest_train_distance"] > 3


def test_the_scale_is_that_of_the_whole_training_set():
    """A few fakes set the number of rows that are measured, not of those measured against."""
    train = samples(3000, 2)
    few, many = samples(200, 2, seed=5), samples(3000, 2, seed=5)
    one = memorization(train, few)["nearest_train_distance"].item()
    assert one == pytest.approx(1, abs=0.3)
    assert memorization(train, many)["nearest_train_distance"].item() == pytest.approx(1, abs=0.1)
    assert memorization(train, few) == memorization(train.flip(0), few.roll(3, 0))
    assert one != memorization(train, few, seed=1)["nearest_train_distance"].item()


def test_real_digits(real_data):
    """Fresh digits are as far from the training set as its own images from one another."""
    from torchvision.datasets import MNIST

    splits = (MNIST(real_data, train=train).data[:4000] for train in (True, False))
    train, test = (split.flatten(1).float() for split in splits)
    fresh = memorization(train, test[:1000])
    assert fresh["memorization"] < 0.01
    assert fresh["nearest_train_distance"].item() == pytest.approx(1, abs=0.1)
    copied = memorization(train, torch.cat([train[:300], test[:100]]))
    assert copied["memorization"].item() == pytest.approx(0.75, abs=0.01)


def test_the_class_gathers():
    train, fake = samples(60, 2), samples(20, 2, seed=6)
    metric = Memorization(threshold=0.5, seed=2)
    for piece in train.split(10):
        metric.update(piece, real=True)
    metric.update(fake, real=False)
    before = torch.get_rng_state()
    result = metric.compute()
    assert torch.equal(torch.get_rng_state(), before)
    assert result == memorization(train, fake, threshold=0.5, seed=2)
    assert result["memorization"].dtype == torch.float64


def test_errors():
    with pytest.raises(InputError, match="threshold must be positive, got -1"):
        Memorization(threshold=-1)
    metric = Memorization()
    metric.update(torch.ones(5, 2), real=True)
    metric.update(torch.randn(1, 2), real=False)
    with pytest.raises(
        InputError,
        match="memorization needs at least 2 real and 2 fake samples, got 5 real and 1 fake ones",
    ):
        metric.compute()
    metric.update(torch.randn(1, 2), real=False)
    with pytest.raises(InputError, match="more than half of the real samples have an exact copy"):
        metric.compute()
