"""How good a generator is: a score card with every number and the protocol behind it.

Names are imported on first use: cards are read and compared without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_gan.evaluation.card import ScoreCard
    from lightning_gan.evaluation.comparison import Comparison, compare
    from lightning_gan.evaluation.evaluator import Evaluator, evaluate
    from lightning_gan.evaluation.plan import Plan

_HOMES = {
    "Comparison": "comparison",
    "Evaluator": "evaluator",
    "Plan": "plan",
    "ScoreCard": "card",
    "compare": "comparison",
    "evaluate": "evaluator",
}

__all__ = ["Comparison", "Evaluator", "Plan", "ScoreCard", "compare", "evaluate"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lightning_gan.evaluation' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lightning_gan.evaluation.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
