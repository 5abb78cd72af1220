"""The metrics of a score card: what each needs, how it is built and fed, what it adds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor
from torchmetrics import Metric

from lightning_gan.errors import InputError
from lightning_gan.evaluation.plan import METRICS, Plan
from lightning_gan.metrics.class_balance import ClassBalance
from lightning_gan.metrics.classifier_score import ClassifierScore
from lightning_gan.metrics.conditional_accuracy import ConditionalAccuracy
from lightning_gan.metrics.density_coverage import DensityCoverage
from lightning_gan.metrics.duplicates import Duplicates
from lightning_gan.metrics.features import Features
from lightning_gan.metrics.fid import FID
from lightning_gan.metrics.kid import KID
from lightning_gan.metrics.memorization import Memorization
from lightning_gan.metrics.modes import Modes
from lightning_gan.metrics.precision_recall import PrecisionRecall
from lightning_gan.metrics.separation import SeparationSharpness

NEAR_COPY = 0.25  # of the median distance between nearest real images


class Facts(NamedTuple):
    """What an evaluation knows about its generator, data and features before it samples.

    Attributes:
        n_fake: Generated samples.
        n_real: Real images.
        feature_dim: Number of features D.
        num_logits: Classes that the extractor tells apart, or None.
        num_classes: Classes of the data where the extractor tells just these apart, else None.
        conditional: Whether samples are asked for by class.
        class_shares: Expected share of each of these classes, float64, shape (K,), or None.
    """

    n_fake: int
    n_real: int
    feature_dim: int
    num_logits: int | None
    num_classes: int | None
    conditional: bool
    class_shares: Tensor | None = None


class Inputs(NamedTuple):
    """What the metrics look at.

    Attributes:
        fake: Features of the generated samples.
        labels: Classes that were asked for, int64, shape (n_fake,), or None.
        real: Features of the real images.
        train: Features of the training images, or None where nothing looks at them.
    """

    fake: Features
    labels: Tensor | None
    real: Features
    train: Features | None


def _nothing(plan: Plan, facts: Facts) -> dict[str, Any]:
    return {}


class Measure(NamedTuple):
    """One metric of the card.

    Attributes:
        metric: Its class.
        feed: Updates it with everything.
        options: Arguments of the class that are its own; they go into the protocol.
        given: Further arguments, which the protocol tells elsewhere.
        lacks: Says why it cannot be measured here, or None.
        least: Smallest number of samples on each side, and the setting that asks for it.
        details: What it adds to the card besides scores, JSON values.
        yardstick: Whether it computes in typical distances of the real images, which data of
            copies do not have.
    """

    metric: type[Metric]
    feed: Callable[[Any, Inputs], None]
    options: Callable[[Plan, Facts], dict[str, Any]] = _nothing
    given: Callable[[Plan, Facts], dict[str, Any]] = _nothing
    lacks: Callable[[Facts], str | None] = lambda facts: None
    least: Callable[[Plan], tuple[int, str]] = lambda plan: (2, "")
    details: Callable[[Any], dict[str, Any]] = lambda metric: {}
    yardstick: bool = False

    def scores(
        self, plan: Plan, facts: Facts, inputs: Inputs
    ) -> tuple[Tensor | dict[str, Tensor], dict[str, Any]]:
        """Return scores and details of the inputs of all processes; all of them have to call it.

        Raises:
            InputError: The metric cannot be computed from the inputs.
        """
        metric = self.metric(**self.options(plan, facts), **self.given(plan, facts))
        metric.to(inputs.real.features.device)
        self.feed(metric, inputs)
        return metric.compute(), self.details(metric)


def choose(plan: Plan, facts: Facts) -> dict[str, Measure]:
    """Return the metrics that are asked for, or else all that are possible, in order.

    Raises:
        InputError: One that is asked for is not possible, or there are too few samples.
    """
    chosen = {}
    for name in METRICS:
        measure = MEASURES[name]
        reason = measure.lacks(facts)
        if reason is not None and plan.metrics is not None and name in plan.metrics:
            raise InputError(f"metrics: {name} {reason}: leave it out")
        if reason is None and (plan.metrics is None or name in plan.metrics):
            _check_numbers(name, measure, plan, facts)
            chosen[name] = measure
    return chosen


def _check_numbers(name: str, measure: Measure, plan: Plan, facts: Facts) -> None:
    least, setting = measure.least(plan)
    if min(facts.n_fake, facts.n_real) < least:
        asks = f" with {setting}={getattr(plan, setting)}" if setting else ""
        raise InputError(
            f"metrics: {name}{asks} needs at least {least} samples of each kind, got "
            f"{facts.n_fake} generated and {facts.n_real} real ones: "
            f"use more, or leave {name} out of metrics"
        )


def _both_sides(metric: Any, inputs: Inputs) -> None:
    metric.update(inputs.fake.features, real=False)
    metric.update(inputs.real.features, real=True)


def _against_training(metric: Any, inputs: Inputs) -> None:
    assert inputs.train is not None
    metric.update(inputs.fake.features, real=False)
    metric.update(inputs.train.features, real=True)


def _logits(metric: Any, inputs: Inputs) -> None:
    metric.update(inputs.fake.class_logits)


def _no_logits(facts: Facts) -> str | None:
    return None if facts.num_logits else "needs features with class logits"


def _no_classes(facts: Facts) -> str | None:
    if facts.num_classes:
        return None
    return "needs labeled data and features that tell their classes apart, such as the judge's"


def _not_conditional(facts: Facts) -> str | None:
    return _no_classes(facts) or (None if facts.conditional else "needs a conditional generator")


def _histogram(metric: ClassBalance) -> dict[str, Any]:
    found = metric.histogram()
    return {
        "class_histogram": found.counts.tolist(),
        "class_shares": {
            "share": found.shares.tolist(),
            "low": found.low.tolist(),
            "high": found.high.tolist(),
            "expected": found.expected.tolist(),
        },
    }


def _sharpness(metric: SeparationSharpness) -> dict[str, Any]:
    return {
        "sharpness_per_class": {
            # A class that no sample is seen as has none.
            name: [None if math.isnan(mean) else mean for mean in means.tolist()]
            for name, means in metric.per_class().items()
        }
    }


def _classes(plan: Plan, facts: Facts) -> dict[str, Any]:
    return {"num_classes": facts.num_classes}


def _seed(plan: Plan, facts: Facts) -> dict[str, Any]:
    return {"seed": plan.seed}


def _near_copy(plan: Plan, facts: Facts) -> dict[str, Any]:
    return {"threshold": NEAR_COPY}


def _subsets(plan: Plan, facts: Facts) -> dict[str, Any]:
    size = min(plan.kid_subset_size, facts.n_fake, facts.n_real)
    return {"subsets": plan.kid_subsets, "subset_size": size}


# In the order of METRICS; another metric is an entry here and its name there.
MEASURES: dict[str, Measure] = {
    "fid": Measure(
        FID,
        _both_sides,
        given=lambda plan, facts: {"feature_dim": facts.feature_dim},
    ),
    "kid": Measure(
        KID,
        _both_sides,
        options=_subsets,
        given=_seed,
    ),
    "classifier_score": Measure(
        ClassifierScore,
        _logits,
        options=lambda plan, facts: {"splits": plan.score_splits},
        given=_seed,
        lacks=_no_logits,
        least=lambda plan: (plan.score_splits, "score_splits"),
    ),
    "precision_recall": Measure(
        PrecisionRecall,
        _both_sides,
        options=lambda plan, facts: {"k": plan.precision_k},
        least=lambda plan: (plan.precision_k + 1, "precision_k"),
    ),
    "density_coverage": Measure(
        DensityCoverage,
        _both_sides,
        options=lambda plan, facts: {"k": plan.coverage_k},
        least=lambda plan: (plan.coverage_k + 1, "coverage_k"),
    ),
    "duplicates": Measure(Duplicates, _both_sides, options=_near_copy, given=_seed, yardstick=True),
    "memorization": Measure(
        Memorization, _against_training, options=_near_copy, given=_seed, yardstick=True
    ),
    "class_balance": Measure(
        ClassBalance,
        _logits,
        options=lambda plan, facts: {"expected": None, "bootstrap": plan.bootstrap},
        given=lambda plan, facts: {**_classes(plan, facts), **_seed(plan, facts)},
        lacks=_no_classes,
        details=_histogram,
    ),
    "modes": Measure(
        Modes,
        _logits,
        given=lambda plan, facts: {**_classes(plan, facts), "expected": facts.class_shares},
        lacks=_no_classes,
    ),
    "separation": Measure(
        SeparationSharpness, _logits, given=_classes, lacks=_no_classes, details=_sharpness
    ),
    "conditional_accuracy": Measure(
        ConditionalAccuracy,
        lambda metric, inputs: metric.update(inputs.fake.class_logits, inputs.labels),
        given=_classes,
        lacks=_not_conditional,
        details=lambda metric: {"confusion": metric.confusion().tolist()},
    ),
}
