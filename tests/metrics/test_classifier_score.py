"""The classifier score against torchmetrics, torch-fidelity and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torchmetrics.image.inception import InceptionScore

from lightning_gan.errors import InputError
from lightning_gan.metrics.classifier_score import ClassifierScore, classifier_score
from lightning_gan.metrics.rows import shuffle


def logits(n=200, classes=5):
    return 2 * torch.randn(n, classes, generator=torch.Generator().manual_seed(0))


class Given(torch.nn.Module):
    """An extractor for which the images are logits already."""

    num_features = 5

    def forward(self, x):
        return x


@pytest.mark.filterwarnings("ignore:Metric `InceptionScore` will save")
@pytest.mark.parametrize("splits", [2, 4])
def test_agrees_with_torchmetrics(splits, monkeypatch):
    reference = InceptionScore(feature=Given(), splits=splits, normalize=False)
    rows = shuffle(logits(), seed=0).double()
    reference.update(rows)
    monkeypatch.setattr(torch, "randperm", torch.arange)
    mean, std = reference.compute()
    monkeypatch.undo()
    ours = classifier_score(logits(), splits)
    assert ours["classifier_score"].item() == pytest.approx(mean.item(), rel=1e-6)
    population = std.item() * math.sqrt((splits - 1) / splits)
    assert ours["classifier_score_std"].item() == pytest.approx(population, rel=1e-6)


@pytest.mark.parametrize("splits", [1, 5])
def test_agrees_with_torch_fidelity(splits):
    fidelity = pytest.importorskip("torch_fidelity.metric_isc")
    rows = shuffle(logits(), seed=0)
    theirs = fidelity.isc_features_to_metric(rows, splits=splits, shuffle=False)
    ours = classifier_score(logits(), splits)
    for ending in ("", "_std"):
        their_value = theirs[f"inception_score{ending or '_mean'}"]
        assert ours[f"classifier_score{ending}"].item() == pytest.approx(their_value, rel=1e-9)


def test_between_one_and_the_number_of_classes():
    sure = 1000 * torch.eye(4)
    assert classifier_score(sure.repeat(10, 1), splits=1)["classifier_score"].item() == (
        pytest.approx(4)
    )
    same = classifier_score(sure[:1].repeat(10, 1), splits=2)
    assert same["classifier_score"].item() == pytest.approx(1)
    unsure = classifier_score(torch.zeros(10, 4), splits=2)
    assert unsure["classifier_score"].item() == pytest.approx(1)
    # Half the probability on the right one of two classes.
    halves = torch.tensor([[0.75, 0.25], [0.25, 0.75]]).log().repeat(5, 1)
    gain = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert classifier_score(halves, 1)["classifier_score"].item() == pytest.approx(math.exp(gain))


def test_parts_are_as_even_as_can_be():
    """11 samples in 10 parts are 10 parts: of the sizes 2, 1, 1, ..."""
    score = classifier_score(1000 * torch.eye(11), splits=10)
    assert score["classifier_score"].item() == pytest.approx((2 + 9) / 10)
    assert score["classifier_score_std"].item() == pytest.approx(0.3)


def test_the_class_gathers_in_any_order_and_leaves_the_global_seed_alone():
    rows = logits()
    metric = ClassifierScore(splits=3, seed=5)
    for piece in rows.flip(0).split(11):
        metric.update(piece)
    before = torch.get_rng_state()
    result = metric.compute()
    assert torch.equal(torch.get_rng_state(), before)
    assert result == classifier_score(rows, splits=3, seed=5)
    assert result != classifier_score(rows, splits=3, seed=6)
    assert result["classifier_score"].dtype == torch.float64


def test_errors():
    with pytest.raises(InputError, match="splits must be at least 1, got 0"):
        ClassifierScore(splits=0)
    metric = ClassifierScore(splits=10)
    metric.update(logits(4))
    with pytest.raises(
        InputError,
        match="the classifier score needs at least one fake sample in each of its 10 parts, got "
        "4: give more samples or lower splits",
    ):
        metric.compute()
    with pytest.raises(
        InputError,
        match="ClassifierScore's fake samples must have 5 columns like the samples before them, "
        "got 6: use one extractor for all samples",
    ):
        metric.update(torch.zeros(3, 6))
    with pytest.raises(InputError, match=r"must be a floating-point tensor of shape \(N, D\)"):
        metric.update(torch.zeros(3, dtype=torch.int64))
    metric.update(torch.full((20, 5), torch.nan))
    with pytest.raises(InputError, match="class logits must be finite, got NaN .* in 20 of 24: "):
        metric.compute()
