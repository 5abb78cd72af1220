"""What each score means for whoever reads it: which direction is better, and what belongs to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

Direction = Literal["lower", "higher", "near 1", "neither"]

# The one place that knows. Scores that are not named here are shown without a direction.
DIRECTIONS: dict[str, Direction] = {
    "fid": "lower",
    "kid": "lower",
    "classifier_score": "higher",
    "precision": "higher",
    "recall": "higher",
    "density": "higher",
    "coverage": "higher",
    "duplicates": "lower",
    "memorization": "lower",
    "nearest_train_distance": "near 1",
    "chi_square": "lower",
    "chi_square_p": "higher",
    "total_variation": "lower",
    "kl": "lower",
    "smallest_class": "higher",
    "modes": "higher",
    "confident_modes": "higher",
    "confident_share": "higher",
    "mode_kl": "lower",
    "class_entropy": "higher",
    "sharpness_margin": "higher",
    "sharpness_confidence": "higher",
    "sharpness_above_95": "higher",
    "sharpness_entropy": "lower",
    "conditional_accuracy": "higher",
    "worst_class_accuracy": "higher",
    # Of mixtures of Gaussians, whose own samples have .989 within three sigma and a spread of 1.
    "within_three_sigma": "higher",
    "spread": "near 1",
    "narrowest_mode": "near 1",
    "rarest_mode": "higher",
}
# The scores of each metric of a card, those that have a direction.
OF_METRICS: dict[str, tuple[str, ...]] = {
    "fid": ("fid",),
    "kid": ("kid",),
    "classifier_score": ("classifier_score",),
    "precision_recall": ("precision", "recall"),
    "density_coverage": ("density", "coverage"),
    "duplicates": ("duplicates",),
    "memorization": ("memorization", "nearest_train_distance"),
    "class_balance": (
        *("chi_square", "chi_square_p", "class_entropy"),
        *("smallest_class", "total_variation", "kl"),
    ),
    "modes": ("modes", "confident_modes", "confident_share", "mode_kl"),
    "separation": (
        *("sharpness_margin", "sharpness_confidence"),
        *("sharpness_above_95", "sharpness_entropy"),
    ),
    "conditional_accuracy": ("conditional_accuracy", "worst_class_accuracy"),
}
_COMPANIONS = ("_low", "_high", "_std")


def direction(name: str) -> Direction:
    """Return which values of a score are better."""
    return DIRECTIONS.get(name, "neither")


def headline(scores: Mapping[str, float]) -> list[str]:
    """Return the scores that stand for themselves, in order: no interval, no deviation.

    Example:
        >>> headline({"kid": 0.1, "kid_std": 0.01, "kl": 0.2, "kl_low": 0.1, "kl_high": 0.3})
        ['kid', 'kl']
    """
    companions = {f"{name}{suffix}" for name in scores for suffix in _COMPANIONS}
    return [name for name in scores if name not in companions]


def interval(name: str, scores: Mapping[str, float]) -> tuple[float, float] | None:
    """Return the 95 % interval of a score where there is one."""
    low, high = scores.get(f"{name}_low"), scores.get(f"{name}_high")
    return None if low is None or high is None else (low, high)


def best(name: str, values: Sequence[float | None]) -> int | None:
    """Return the place of the best value; None where none is, or two are equally good.

    Example:
        >>> best("fid", [3.0, 2.0]), best("nearest_train_distance", [0.2, 1.3]), best("kl", [1, 1])
        (1, 1, None)
    """
    losses = [_loss(direction(name), value) for value in values]
    finite = [loss for loss in losses if math.isfinite(loss)]
    if len(finite) < 2 or losses.count(min(finite)) > 1:
        return None
    return losses.index(min(finite))


def shown_score(name: str, scores: Mapping[str, float]) -> str:
    """Return a score as a person reads it, with its interval or standard deviation.

    Example:
        >>> shown_score("kl", {"kl": 0.25, "kl_low": 0.2, "kl_high": 0.3})
        '0.25 [0.2, 0.3]'
        >>> shown_score("kid", {"kid": 0.0123456, "kid_std": 0.001})
        '0.01235 ± 0.001'
        >>> shown_score("fid", {})
        '-'
    """
    if name not in scores:
        return "-"
    limits, deviation = interval(name, scores), scores.get(f"{name}_std")
    text = f"{scores[name]:.4g}"
    if limits is not None:
        return f"{text} [{limits[0]:.4g}, {limits[1]:.4g}]"
    return text if deviation is None else f"{text} ± {deviation:.2g}"


def _loss(better: Direction, value: float | None) -> float:
    if value is None or better == "neither":
        return math.nan
    return {"lower": value, "higher": -value, "near 1": abs(value - 1)}[better]
