"""What is to be measured, and how; checked before anything is loaded. No torch in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lightning_gan.errors import InputError, nearest

if TYPE_CHECKING:
    from lightning_gan.metrics.features import FeatureExtractor

METRICS = (
    "fid",
    "kid",
    "classifier_score",
    "precision_recall",
    "density_coverage",
    "duplicates",
    "memorization",
    "class_balance",
    "modes",
    "separation",
    "conditional_accuracy",
)
EXTRACTORS = ("auto", "judge", "inception")
SPLITS = ("train", "test")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The settings of an evaluation.

    Args:
        features: Who looks at the images: "judge" is a classifier trained once on the labeled data,
            "inception" the usual ImageNet network, "auto" the judge where the data have labels and
            Inception elsewhere; in Python also a FeatureExtractor of your own.
        weights: File of Inception's weights; None where they can be downloaded.
        n_fake: Generated samples.
        n_real: Real images at most, the same ones at every seed.
        n_train: Training images at most among which memorization looks for copies.
        split: Which split the real images come from; memorization always looks at "train".
        seed: Seed of the latents and of the metrics' own resampling.
        metrics: Names out of METRICS; None measures everything that generator, data and features
            allow.
        kid_subsets: Subsets over which KID is averaged.
        kid_subset_size: Samples in each; fewer where there are not as many.
        precision_k: Neighbors that span the manifold of precision and recall.
        coverage_k: Neighbors that span that of density and coverage.
        score_splits: Parts over which the classifier score is averaged.
        bootstrap: Resamplings behind the intervals of class balance.

    Raises:
        InputError: A setting is out of its range.
    """

    features: str | FeatureExtractor = "auto"
    weights: str | None = None
    n_fake: int = 10_000
    n_real: int = 10_000
    n_train: int = 60_000
    split: Literal["train", "test"] = "train"
    seed: int = 0
    metrics: Sequence[str] | None = None
    kid_subsets: int = 100
    kid_subset_size: int = 1000
    precision_k: int = 3
    coverage_k: int = 5
    score_splits: int = 10
    bootstrap: int = 1000

    def __post_init__(self) -> None:
        for name in _WHOLE:
            value, least = getattr(self, name), _WHOLE[name]
            if type(value) is not int or value < least:
                raise InputError(f"{name} must be a whole number from {least}, got {value!r}")
        _check_choice("split", self.split, SPLITS)
        if isinstance(self.features, str):
            _check_choice("features", self.features, EXTRACTORS)
        if self.metrics is not None:
            if isinstance(self.metrics, str) or not self.metrics:
                raise InputError(
                    f"metrics must be a list of names such as [fid, kid], got {self.metrics!r}"
                )
            for name in self.metrics:
                _check_choice("metrics", name, METRICS)


_WHOLE = {
    **dict.fromkeys(["n_fake", "n_real", "n_train"], 2),
    "seed": 0,
    "kid_subset_size": 2,
    **dict.fromkeys(["kid_subsets", "precision_k", "coverage_k", "score_splits", "bootstrap"], 1),
}


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise InputError(
            f"{name} must be one of {', '.join(choices)}, got {value!r}"
            f"{nearest(str(value), choices)}"
        )
