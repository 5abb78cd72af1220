"""Numbers over the images seen, one schedule a file; imported on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_gan.schedules.base import Ramp, Schedule
    from lightning_gan.schedules.burn_in import BurnIn
    from lightning_gan.schedules.constant import Constant
    from lightning_gan.schedules.cosine import Cosine
    from lightning_gan.schedules.linear import Linear
    from lightning_gan.schedules.piecewise import Piecewise
    from lightning_gan.schedules.step import Step

_HOMES = {
    "BurnIn": "burn_in",
    "Constant": "constant",
    "Cosine": "cosine",
    "Linear": "linear",
    "Piecewise": "piecewise",
    "Ramp": "base",
    "Schedule": "base",
    "Step": "step",
}

__all__ = ["BurnIn", "Constant", "Cosine", "Linear", "Piecewise", "Ramp", "Schedule", "Step"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lightning_gan.schedules' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lightning_gan.schedules.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
