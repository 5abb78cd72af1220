"""Modes that a classifier sees, and the judge of images whose channels are images."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from lightning_gan import InputError
from lightning_gan.metrics.channel_judge import ChannelJudge
from lightning_gan.metrics.judge_network import Judge
from lightning_gan.metrics.modes import Modes, kl_floor


def logits_of(classes, k, probability=0.99):
    """Logits of a classifier that gives the classes a probability, all others the rest alike."""
    rest = torch.full((len(classes), k), (1 - probability) / (k - 1))
    rest[torch.arange(len(classes)), classes] = probability
    return rest.log()


def scores(*batches, k=4, expected=None):
    metric = Modes(k, expected)
    for batch in batches:
        metric.update(batch)
    return {name: value.item() for name, value in metric.compute().items()}


def test_values_agree_with_scipy():
    seen = torch.tensor([0] * 6 + [1] * 3 + [3])
    q = [0.1, 0.2, 0.3, 0.4]
    found = scores(logits_of(seen[:4], 4), logits_of(seen[4:], 4), expected=q)
    assert found["modes"] == 3
    assert found["mode_kl"] == pytest.approx(entropy([0.6, 0.3, 0.0, 0.1], q))
    assert scores(logits_of(seen, 4))["mode_kl"] == pytest.approx(
        math.log(4) - entropy([0.6, 0.3, 0.1])
    )


def test_expected_counts_are_scaled():
    seen = logits_of(torch.tensor([0, 1]), 2)
    assert scores(seen, k=2, expected=[30, 10]) == scores(seen, k=2, expected=[0.75, 0.25])


def test_doubtful_samples_hit_no_mode_with_confidence():
    sure, unsure = (logits_of(torch.tensor(c), 4, p) for c, p in (([0, 0, 1], 0.91), ([2], 0.89)))
    found = scores(sure, unsure)
    assert (found["modes"], found["confident_modes"]) == (3, 2)
    assert found["confident_share"] == 0.75


def test_a_class_that_nobody_expects_is_infinitely_far():
    found = scores(logits_of(torch.tensor([0, 1]), 2), k=2, expected=[1.0, 0.0])
    assert found["mode_kl"] == math.inf


def test_the_floor_is_the_mean_over_samples_of_the_expected_shares():
    q = np.array([0.5, 0.3, 0.15, 0.05])
    n = 6
    exact = 0.0
    for draw in itertools.product(range(4), repeat=n):
        exact += q[list(draw)].prod() * entropy(np.bincount(draw, minlength=4), q)
    assert kl_floor(torch.tensor(q), n).item() == pytest.approx(exact, rel=1e-9)


def test_the_floor_of_a_thousand_modes():
    equal = torch.full((1000,), 1e-3, dtype=torch.float64)
    assert kl_floor(equal, 26_000).item() == pytest.approx(999 / 52_000, rel=0.01)
    drawn = np.random.default_rng(0).multinomial(26_000, equal.numpy())
    assert entropy(drawn, equal.numpy()) == pytest.approx(kl_floor(equal, 26_000).item(), rel=0.1)


@pytest.mark.parametrize(
    ("k", "expected", "said"),
    [
        (1, None, "num_classes must be at least 2, got 1"),
        (2, [1.0], r"expected must be 2 numbers of at least 0 that are not all 0, got \[1.0\]"),
        (2, [0.0, 0.0], "that are not all 0"),
        (2, [-1.0, 2.0], "numbers of at least 0"),
    ],
)
def test_wrong_arguments(k, expected, said):
    with pytest.raises(InputError, match=said):
        Modes(k, expected)


def test_no_samples_are_refused():
    metric = Modes(2)
    metric.update(torch.empty(0, 2))
    with pytest.raises(InputError, match="need at least one sample: call update first"):
        metric.compute()


@pytest.fixture(scope="module")
def judge():
    torch.manual_seed(0)
    made = Judge((1, 8, 8), num_classes=3).eval()
    made.test_accuracy = 0.5
    return made


def test_every_channel_is_judged_by_itself(judge):
    images = torch.rand(5, 3, 8, 8) * 2 - 1
    with torch.no_grad():
        found = ChannelJudge(judge, 3)(images)
        each = [judge(images[:, [c]]) for c in range(3)]
    assert torch.equal(found.features, torch.cat([one.features for one in each], dim=1))
    a, b, c = (one.class_logits.softmax(1) for one in each)
    joint = torch.einsum("ni,nj,nk->nijk", a, b, c).flatten(1)
    assert torch.allclose(found.class_logits.exp(), joint, atol=1e-6)
    digits = [one.class_logits.argmax(1) for one in each]
    assert torch.equal(found.class_logits.argmax(1), 9 * digits[0] + 3 * digits[1] + digits[2])


def test_what_a_card_says_of_it(judge):
    several = ChannelJudge(judge, 3)
    assert (several.num_classes, several.feature_dim) == (27, 384)
    protocol = several.protocol()
    assert protocol["name"] == "channel judge"
    assert protocol["test_accuracy"] == 0.5
