"""Conditional accuracy against scikit-learn, and the class metrics over two processes."""

from __future__ import annotations

import sys
from pathlib import Path

import forked
import pytest
import torch
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from lightning_gan import InputError
from lightning_gan.metrics.class_balance import ClassBalance
from lightning_gan.metrics.conditional_accuracy import ConditionalAccuracy
from lightning_gan.metrics.separation import SeparationSharpness


def samples(n=200, num_classes=4):
    labels = torch.randint(0, num_classes, (n,))
    logits = torch.randn(n, num_classes)
    logits[torch.arange(n), labels] += 2
    return logits, labels


def metric_of(logits, labels, num_classes=4):
    metric = ConditionalAccuracy(num_classes)
    for part, asked in zip(logits.split(64), labels.split(64), strict=True):
        metric.update(part, asked)
    return metric


def test_values_agree_with_scikit_learn():
    logits, labels = samples()
    metric, seen = metric_of(logits, labels), logits.argmax(1)
    values = {name: value.item() for name, value in metric.compute().items()}
    right = int((seen == labels).sum())
    interval = binomtest(right, 200).proportion_ci(0.95, method="wilson")
    recalls = recall_score(labels, seen, average=None)
    assert values == pytest.approx(
        {
            "conditional_accuracy": accuracy_score(labels, seen),
            "conditional_accuracy_low": interval.low,
            "conditional_accuracy_high": interval.high,
            "worst_class_accuracy": recalls.min(),
        }
    )
    assert metric.confusion().tolist() == confusion_matrix(labels, seen).tolist()


def test_a_class_that_nobody_asked_for_is_not_the_worst():
    logits, labels = torch.eye(3)[[0, 0, 2, 1]], torch.tensor([0, 0, 2, 2])
    values = metric_of(logits, labels, num_classes=3).compute()
    assert values["conditional_accuracy"] == 0.75
    assert values["worst_class_accuracy"] == 0.5


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (torch.zeros(3).long(), r"labels must be integers of shape \(2,\).*shape \(3,\)"),
        (torch.zeros(2), r"labels must be integers .*got torch.float32 of shape \(2,\)"),
        (torch.tensor([0, 4]), r"labels must lie in 0..3, got 0..4"),
        (torch.tensor([-1, 3]), r"labels must lie in 0..3, got -1..3"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, sentence):
    with pytest.raises(InputError, match=sentence):
        ConditionalAccuracy(4).update(torch.zeros(2, 4), labels)


def test_logits_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"class_logits must be floats of shape \(N, 4\)"):
        ConditionalAccuracy(4).update(torch.zeros(2, 3), torch.zeros(2).long())


def test_too_few_classes_are_refused():
    with pytest.raises(InputError, match="num_classes must be at least 2, got 1"):
        ConditionalAccuracy(1)


def test_no_samples_are_refused():
    with (
        pytest.warns(UserWarning, match="before the ``update`` method"),
        pytest.raises(InputError, match="conditional accuracy needs at least one sample: call"),
    ):
        ConditionalAccuracy(2).compute()


def measured(logits, labels):
    """What all three class metrics say, as plain tensors."""
    balance, sharpness = ClassBalance(4), SeparationSharpness(4)
    accuracy = ConditionalAccuracy(4)
    for part, asked in zip(logits.split(13), labels.split(13), strict=True):
        balance.update(part)
        sharpness.update(part)
        accuracy.update(part, asked)
    result = {**balance.compute(), **sharpness.compute(), **accuracy.compute()}
    result |= {f"class/{name}": value for name, value in sharpness.per_class().items()}
    histogram = balance.histogram()
    return result | {"confusion": accuracy.confusion(), "counts": histogram.counts}


def test_two_processes_measure_as_one(tmp_path):
    logits, labels = samples(101)
    torch.save((logits, labels), tmp_path / "samples.pt")
    jobs = [forked.Started(__file__, [tmp_path, rank], tmp_path) for rank in (0, 1)]
    for job in jobs:
        output, _ = forked.end(job)
        assert job.returncode == 0, output[-3000:]
    whole = measured(logits, labels)
    assert whole["counts"].sum() == 101
    for rank in (0, 1):
        theirs = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        torch.testing.assert_close(theirs, whole)


def main(folder, rank):
    """Measure every second sample, together with the other process."""
    torch.distributed.init_process_group(
        "gloo", init_method=(folder / "store").as_uri(), rank=rank, world_size=2
    )
    logits, labels = torch.load(folder / "samples.pt", weights_only=True)
    torch.save(measured(logits[rank::2], labels[rank::2]), folder / f"rank{rank}.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
