"""Rows are gathered, checked and shuffled alike for all metrics on features."""

from __future__ import annotations

import pytest
import torch

from lightning_gan.metrics.precision_recall import PrecisionRecall, precision_recall
from lightning_gan.metrics.rows import shuffle


def sets():
    return torch.randn(2, 30, 4, generator=torch.Generator().manual_seed(0))


def test_shuffling_depends_on_the_set_and_the_seed_alone():
    rows = sets()[0].relu()  # many equal entries, so that sorting has ties to break
    shuffled = shuffle(rows, seed=0)
    assert torch.equal(shuffled, shuffle(rows[torch.randperm(30)], seed=0))
    assert not torch.equal(shuffled, shuffle(rows, seed=1))
    assert not torch.equal(shuffled, torch.unique(rows, dim=0)[: len(shuffled)])
    assert sorted(shuffled.tolist()) == sorted(rows.tolist())


def test_shuffling_keeps_copies():
    rows = torch.tensor([[1.0], [2.0], [1.0]])
    assert sorted(shuffle(rows, seed=0).flatten().tolist()) == [1, 1, 2]


def test_real_samples_are_fed_once_and_scored_against_in_clones():
    real, fake = sets()
    metric = PrecisionRecall()
    metric.update(real, real=True)
    for other in (fake, fake + 0.5):
        one = metric.clone()
        one.update(other, real=False)
        assert one.compute() == precision_recall(real, other)
    metric.reset()
    metric.update(real[:, :2], real=True)  # another width after a reset


def test_features_of_inference_mode_and_of_half_precision():
    real, fake = sets().half()
    metric = PrecisionRecall()
    with torch.inference_mode():
        metric.reset()
        metric.update(real, real=True)
    metric.update(fake, real=False)
    assert metric.compute() == precision_recall(real.float(), fake.float())


def test_double_precision_is_kept_where_asked_for():
    real, fake = 1 + 1e-9 * sets().double()
    metric = PrecisionRecall().set_dtype(torch.float64)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    assert metric.compute() == precision_recall(real, fake)
    assert 0 < metric.compute()["precision"] < 1


@pytest.mark.parametrize("requires_grad", [False, True])
def test_no_graph_is_kept(requires_grad):
    real, fake = sets().requires_grad_(requires_grad)
    metric = PrecisionRecall()
    metric.update(real, real=True)
    metric.update(fake, real=False)
    assert not metric.compute()["recall"].requires_grad
