"""Precision and recall against brute force and torch-fidelity."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_gan.errors import InputError
from lightning_gan.metrics.precision_recall import PrecisionRecall, precision_recall


def sets(n=60, m=45, dim=3, shift=0.7):
    source = torch.Generator().manual_seed(0)
    return (
        torch.randn(n, dim, generator=source),
        0.8 * torch.randn(m, dim, generator=source) + shift,
    )


def by_loops(points, manifold, k):
    """Share of points in the union of the manifold's balls, one ball at a time."""
    covered = np.zeros(len(points), dtype=bool)
    for center in manifold.double().numpy():
        own = np.linalg.norm(manifold.double().numpy() - center, axis=1)
        radius = np.sort(own)[k]  # the smallest is the center itself
        covered |= np.linalg.norm(points.double().numpy() - center, axis=1) <= radius
    return covered.mean()


@pytest.mark.parametrize("k", [1, 3, 7])
def test_agrees_with_brute_force(k):
    real, fake = sets()
    result = precision_recall(real, fake, k)
    assert result["precision"].item() == by_loops(fake, real, k)
    assert result["recall"].item() == by_loops(real, fake, k)
    assert 0 < result["recall"] < 1


def test_agrees_with_torch_fidelity():
    fidelity = pytest.importorskip("torch_fidelity.metric_prc")
    real, fake = sets(200, 150, dim=8)
    theirs = fidelity.prc_features_to_metric(
        fake.double(),
        real.double(),
        prc_neighborhood=3,
        prc_batch_size=64,
        save_cpu_ram=True,
        verbose=False,
    )
    result = precision_recall(real, fake)
    assert result["precision"].item() == pytest.approx(theirs["precision"], rel=1e-6)
    assert result["recall"].item() == pytest.approx(theirs["recall"], rel=1e-6)


def test_collapse_has_precision_and_no_recall_and_noise_neither():
    real, _ = sets(200, dim=8)
    collapsed = precision_recall(real, real[:1] + 0.01 * torch.randn(100, 8))
    assert collapsed["precision"] == 1
    assert collapsed["recall"] < 0.02
    assert precision_recall(real, real) == {"precision": 1, "recall": 1}
    assert precision_recall(real, real + 1000) == {"precision": 0, "recall": 0}


def test_the_class_gathers():
    real, fake = sets()
    metric = PrecisionRecall(k=2)
    for piece in fake.split(10):
        metric.update(piece, real=False)
    metric.update(real, real=True)
    result = metric.compute()
    assert result == precision_recall(real, fake, k=2)
    assert result["precision"].dtype == torch.float64


def test_errors():
    with pytest.raises(InputError, match="k must be at least 1, got 0"):
        PrecisionRecall(k=0)
    metric = PrecisionRecall()
    metric.update(torch.randn(5, 2), real=True)
    metric.update(torch.randn(3, 2), real=False)
    with pytest.raises(
        InputError,
        match="precision and recall with k=3 needs at least 4 real and 4 fake samples, got 5 real "
        "and 3 fake ones: give more samples",
    ):
        metric.compute()
    with pytest.raises(
        InputError,
        match="PrecisionRecall's fake samples must have 2 columns like the samples before them, "
        "got 4: use one extractor for all samples",
    ):
        metric.update(torch.randn(3, 4), real=False)
    with pytest.raises(
        InputError,
        match=r"PrecisionRecall's real samples must be .* shape \(N, D\), got torch.float32 of "
        r"shape \(3, 1, 4, 4\): use .flatten\(1\).float\(\)",
    ):
        metric.update(torch.randn(3, 1, 4, 4), real=True)
    with pytest.raises(InputError, match="got 5 columns for real and 6 for fake samples: use one"):
        precision_recall(torch.randn(9, 5), torch.randn(9, 6))
    bad = torch.randn(9, 5)
    bad[2:4, 1] = torch.nan
    with pytest.raises(
        InputError,
        match="real samples must be finite, got NaN or infinity in 2 of 9: look for NaN in the "
        "images, and evaluate an earlier checkpoint if training diverged",
    ):
        precision_recall(bad, torch.randn(9, 5))


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric PrecisionRecall was called")
def test_nothing_to_compute():
    with pytest.raises(InputError, match="got 0 real and 0 fake ones"):
        PrecisionRecall().compute()
