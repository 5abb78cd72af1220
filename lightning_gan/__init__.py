"""GANs on PyTorch Lightning: every network, loss and regularizer is a plugin.

Names are imported on first use, so that ``import lightning_gan`` alone stays light.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_gan.alternations.base import Alternation
    from lightning_gan.augments.base import Augment
    from lightning_gan.create import (
        create_alternation,
        create_augment,
        create_discriminator,
        create_generator,
        create_loss,
        create_prior,
        create_regularizer,
    )
    from lightning_gan.discriminators.base import Discriminator
    from lightning_gan.ema import EMA
    from lightning_gan.errors import InputError, PluginError
    from lightning_gan.generators.base import Generator
    from lightning_gan.losses.base import AdversarialLoss
    from lightning_gan.priors.base import Prior
    from lightning_gan.regularizers.base import Regularizer
    from lightning_gan.training.module import GANModule
    from lightning_gan.types import (
        AdversarialStep,
        DiscriminatorOutput,
        Feedback,
        Player,
        Progress,
    )

_HOMES = {
    "AdversarialLoss": "losses.base",
    "AdversarialStep": "types",
    "Alternation": "alternations.base",
    "Augment": "augments.base",
    "Discriminator": "discriminators.base",
    "DiscriminatorOutput": "types",
    "EMA": "ema",
    "Feedback": "types",
    "GANModule": "training.module",
    "Generator": "generators.base",
    "InputError": "errors",
    "Player": "types",
    "PluginError": "errors",
    "Prior": "priors.base",
    "Progress": "types",
    "Regularizer": "regularizers.base",
    "create_alternation": "create",
    "create_augment": "create",
    "create_discriminator": "create",
    "create_generator": "create",
    "create_loss": "create",
    "create_prior": "create",
    "create_regularizer": "create",
}

__all__ = [
    "EMA",
    "AdversarialLoss",
    "AdversarialStep",
    "Alternation",
    "Augment",
    "Discriminator",
    "DiscriminatorOutput",
    "Feedback",
    "GANModule",
    "Generator",
    "InputError",
    "Player",
    "PluginError",
    "Prior",
    "Progress",
    "Regularizer",
    "__version__",
    "create_alternation",
    "create_augment",
    "create_discriminator",
    "create_generator",
    "create_loss",
    "create_prior",
    "create_regularizer",
]

__version__ = version("lightning-gan")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lightning_gan' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lightning_gan.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
