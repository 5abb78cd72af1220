"""Measurements of generated samples, and the networks that they look through.

torchmetrics has FID, KID and the inception score, too. These are our own for three reasons: FID is
exact where a covariance is singular (fewer samples than features), what is drawn at random is drawn
from a seed and leaves the global random state alone, and the statistics of the real side are kept
for the next generator. The others torchmetrics lacks.

Names are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_gan.metrics.channel_judge import ChannelJudge
    from lightning_gan.metrics.class_balance import ClassBalance, ClassHistogram
    from lightning_gan.metrics.classifier_score import ClassifierScore
    from lightning_gan.metrics.conditional_accuracy import ConditionalAccuracy
    from lightning_gan.metrics.density_coverage import DensityCoverage
    from lightning_gan.metrics.duplicates import Duplicates
    from lightning_gan.metrics.features import FeatureExtractor, Features, extract
    from lightning_gan.metrics.fid import FID
    from lightning_gan.metrics.inception import InceptionFeatures
    from lightning_gan.metrics.judge import judge_for
    from lightning_gan.metrics.judge_network import Judge
    from lightning_gan.metrics.kid import KID
    from lightning_gan.metrics.memorization import Memorization
    from lightning_gan.metrics.mixture_modes import MixtureModes
    from lightning_gan.metrics.modes import Modes
    from lightning_gan.metrics.precision_recall import PrecisionRecall
    from lightning_gan.metrics.separation import SeparationSharpness

_HOMES = {
    "ChannelJudge": "channel_judge",
    "ClassBalance": "class_balance",
    "ClassHistogram": "class_balance",
    "ClassifierScore": "classifier_score",
    "ConditionalAccuracy": "conditional_accuracy",
    "DensityCoverage": "density_coverage",
    "Duplicates": "duplicates",
    "FID": "fid",
    "FeatureExtractor": "features",
    "Features": "features",
    "InceptionFeatures": "inception",
    "Judge": "judge_network",
    "KID": "kid",
    "Memorization": "memorization",
    "MixtureModes": "mixture_modes",
    "Modes": "modes",
    "PrecisionRecall": "precision_recall",
    "SeparationSharpness": "separation",
    "extract": "features",
    "judge_for": "judge",
}

__all__ = [
    "FID",
    "KID",
    "ChannelJudge",
    "ClassBalance",
    "ClassHistogram",
    "ClassifierScore",
    "ConditionalAccuracy",
    "DensityCoverage",
    "Duplicates",
    "FeatureExtractor",
    "Features",
    "InceptionFeatures",
    "Judge",
    "Memorization",
    "MixtureModes",
    "Modes",
    "PrecisionRecall",
    "SeparationSharpness",
    "extract",
    "judge_for",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lightning_gan.metrics' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lightning_gan.metrics.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
