"""Separation sharpness against NumPy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import special, stats

from lightning_gan import InputError
from lightning_gan.metrics.separation import SeparationSharpness, separation_sharpness


def reference(logits):
    p = special.softmax(logits.double().numpy(), axis=1)
    ranked = np.sort(p, axis=1)
    largest = ranked[:, -1]
    entropy = stats.entropy(p, axis=1)
    return np.stack([largest - ranked[:, -2], largest, largest > 0.95, entropy], axis=1)


def metric_of(logits):
    metric = SeparationSharpness(logits.shape[1])
    for part in logits.split(7):
        metric.update(part)
    return metric


NAMES = ["sharpness_margin", "sharpness_confidence", "sharpness_above_95", "sharpness_entropy"]


def test_each_sample_agrees_with_scipy():
    logits = 4 * torch.randn(50, 5)
    measured = separation_sharpness(logits)
    assert 0 < measured[:, 2].mean() < 1
    np.testing.assert_allclose(measured, reference(logits), atol=1e-12)


def test_means_over_samples():
    logits = 4 * torch.randn(50, 5)
    values = metric_of(logits).compute()
    assert list(values) == NAMES
    np.testing.assert_allclose(list(values.values()), reference(logits).mean(0))


def test_means_over_each_predicted_class():
    logits = 4 * torch.randn(50, 5)
    logits[:, 3] = -20.0
    values, classes = metric_of(logits).per_class(), logits.argmax(1)
    for k in range(5):
        ours = [values[name][k].item() for name in NAMES]
        if k == 3:
            assert np.isnan(ours).all()
        else:
            np.testing.assert_allclose(ours, reference(logits)[classes == k].mean(0))


def test_the_extremes():
    sure = metric_of(torch.tensor([[300.0, 0.0, 0.0]])).compute()
    assert [sure[name].item() for name in NAMES] == pytest.approx([1, 1, 1, 0])
    unsure = metric_of(torch.zeros(1, 3)).compute()
    assert [unsure[name].item() for name in NAMES] == pytest.approx([0, 1 / 3, 0, np.log(3)])


def test_too_few_classes_are_refused():
    with pytest.raises(InputError, match="num_classes must be at least 2, got 1"):
        SeparationSharpness(1)


def test_no_samples_are_refused():
    with (
        pytest.warns(UserWarning, match="before the ``update`` method"),
        pytest.raises(InputError, match="separation sharpness needs at least one sample: call"),
    ):
        SeparationSharpness(2).compute()


def test_broken_logits_are_refused():
    with pytest.raises(InputError, match="class_logits must be finite, got NaN or infinity"):
        SeparationSharpness(2).update(torch.tensor([[torch.nan, 0.0]]))
