"""Class balance against scipy, simulation and hand-made histograms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from lightning_gan import InputError
from lightning_gan.metrics.class_balance import ClassBalance, class_balance, wilson_interval

EQUAL = torch.ones(10)
INTERVALS = ["total_variation", "kl", "smallest_class"]


def logits(classes, num_classes):
    """Rows whose largest entry is the given class."""
    noise = torch.rand(len(classes), num_classes)
    noise[torch.arange(len(classes)), classes] += 1
    return noise


def draws(shares, n, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).multinomial(n, shares))


def test_values_agree_with_scipy():
    counts, expected = torch.tensor([5, 0, 17, 30]), torch.tensor([0.1, 0.1, 0.3, 0.5])
    result = class_balance(counts, expected)
    n, p, q = 52, counts.numpy() / 52, np.array([0.1, 0.1, 0.3, 0.5])
    test = stats.chisquare(counts.numpy(), n * q)
    assert result["chi_square"] == pytest.approx(test.statistic)
    assert result["chi_square_p"] == pytest.approx(test.pvalue)
    assert result["kl"] == pytest.approx(stats.entropy(p, q))
    assert result["class_entropy"] == pytest.approx(stats.entropy(p))
    assert result["total_variation"] == pytest.approx(np.abs(p - q).sum() / 2)
    assert result["smallest_class"] == 0


def test_one_class_alone():
    result = class_balance(torch.tensor([0, 100_000]), torch.ones(2))
    assert result["total_variation"] == 0.5
    assert result["kl"] == pytest.approx(np.log(2))
    assert result["class_entropy"] == 0
    assert result["chi_square_p"] == 0


def test_the_direction_of_the_divergence():
    """The samples come first: a class that they lack costs nothing infinite."""
    result = class_balance(torch.tensor([4, 0]), torch.tensor([0.25, 0.75]))
    assert result["kl"] == pytest.approx(np.log(4))


@pytest.mark.parametrize(("n", "shares"), [(7, [0.5, 0.3, 0.2]), (1000, [0.1] * 10)])
def test_the_noise_of_total_variation_agrees_with_simulation(n, shares):
    q = np.array(shares)
    drawn = np.random.default_rng(0).multinomial(n, q, size=200_000) / n
    simulated = np.abs(drawn - q).sum(1).mean() / 2
    result = class_balance(draws(q, n), torch.from_numpy(q))
    assert result["total_variation_noise"] == pytest.approx(simulated, rel=5e-3)


@pytest.mark.parametrize(
    "shares", [[0.1] * 10, [0.12, 0.08] * 5, [0.19] + [0.09] * 9], ids=["equal", "two", "one"]
)
def test_intervals_hold_the_truth(shares):
    q, runs, n = np.array(shares), 100, 10_000
    truth = {
        "total_variation": np.abs(q - 0.1).sum() / 2,
        "kl": stats.entropy(q, np.full(10, 0.1)),
        "smallest_class": q.min(),
    }
    hits = dict.fromkeys(truth, 0)
    for seed in range(runs):
        result = class_balance(draws(q, n, seed), EQUAL, bootstrap=200, seed=seed)
        for name, value in truth.items():
            assert result[f"{name}_low"] <= result[name] <= result[f"{name}_high"]
            hits[name] += result[f"{name}_low"] <= value + 1e-12 <= result[f"{name}_high"] + 2e-12
    assert all(count >= 0.85 * runs for count in hits.values()), hits


def test_intervals_narrow_with_the_number_of_samples():
    few, many = (class_balance(draws([0.12, 0.08] * 5, n), EQUAL) for n in (1000, 100_000))
    for name in INTERVALS:
        widths = [result[f"{name}_high"] - result[f"{name}_low"] for result in (few, many)]
        assert widths[1] < widths[0] / 4


def test_perfect_balance_has_intervals_too():
    result = class_balance(torch.full((10,), 100), EQUAL)
    assert result["total_variation"] == result["total_variation_low"] == 0
    assert result["total_variation_high"] > 0.5 * result["total_variation_noise"]
    assert result["smallest_class_low"] < 0.1 < result["smallest_class_high"]


def test_resampling_is_seeded_and_leaves_the_global_state():
    counts = draws([0.12, 0.08] * 5, 1000)
    ours, theirs = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, again, other = (class_balance(counts, EQUAL, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first["kl_high"] != other["kl_high"]
    assert torch.equal(torch.get_rng_state(), ours)
    assert np.array_equal(np.random.get_state()[1], theirs)


def test_wilson_limits_by_the_formula():
    counts, n, z = np.array([0, 3, 50, 97]), 97, stats.norm.ppf(0.975)
    p = counts / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = wilson_interval(torch.from_numpy(counts), n)
    np.testing.assert_allclose(low, middle - half, atol=1e-12)
    np.testing.assert_allclose(high, middle + half, atol=1e-12)


def test_the_metric_counts_over_updates():
    classes = torch.randint(0, 10, (1000,))
    metric = ClassBalance(10)
    for part in classes.split(300):
        metric.update(logits(part, 10))
    counts = torch.bincount(classes, minlength=10)
    values = {name: value.item() for name, value in metric.compute().items()}
    assert values == pytest.approx(class_balance(counts, EQUAL))
    assert set(values) == {
        "chi_square",
        "chi_square_p",
        "total_variation",
        "total_variation_low",
        "total_variation_high",
        "total_variation_noise",
        "kl",
        "kl_low",
        "kl_high",
        "smallest_class",
        "smallest_class_low",
        "smallest_class_high",
        "class_entropy",
    }
    metric.reset()
    metric.update(logits(torch.tensor([3]), 10))
    assert metric.histogram().counts.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_the_histogram_has_shares_and_limits():
    metric = ClassBalance(3, expected=[1, 1, 2])
    metric.update(logits(torch.tensor([0, 2, 2, 2]), 3))
    histogram = metric.histogram()
    assert histogram.counts.tolist() == [1, 0, 3]
    assert histogram.shares.tolist() == [0.25, 0, 0.75]
    assert histogram.expected.tolist() == [0.25, 0.25, 0.5]
    low, high = wilson_interval(torch.tensor([1, 0, 3]), 4)
    assert torch.equal(histogram.low, low)
    assert torch.equal(histogram.high, high)


def test_class_counts_serve_as_expectation():
    counts = torch.tensor([5, 10, 85])
    shares, numbers = (ClassBalance(3, expected=e) for e in (counts / 100, counts))
    for metric in (shares, numbers):
        metric.update(logits(torch.tensor([0, 1, 1, 2]), 3))
    assert shares.compute()["kl"].item() == pytest.approx(numbers.compute()["kl"].item())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"num_classes": 1}, "num_classes must be at least 2, got 1"),
        ({"num_classes": 2, "bootstrap": 0}, "bootstrap must be at least 1, got 0"),
        ({"num_classes": 2, "expected": [1]}, r"expected must be 2 positive numbers, got \[1.0\]"),
        ({"num_classes": 2, "expected": [1, 0]}, r"must be 2 positive numbers, got \[1.0, 0.0\]"),
        ({"num_classes": 2, "expected": [1, torch.nan]}, "must be 2 positive numbers"),
    ],
)
def test_impossible_settings_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        ClassBalance(**options)


def test_no_samples_are_refused():
    metric = ClassBalance(2)
    with pytest.raises(InputError, match="class balance needs at least one sample: call update"):
        metric.histogram()
    with (
        pytest.warns(UserWarning, match="before the ``update`` method"),
        pytest.raises(InputError, match="class balance needs at least one sample: call update"),
    ):
        metric.compute()


def test_logits_of_other_classes_are_refused():
    with pytest.raises(InputError, match=r"class_logits must be floats of shape \(N, 10\)"):
        ClassBalance(10).update(torch.zeros(3, 4))
