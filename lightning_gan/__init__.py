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
    from lightning_gan.averages.base import Average
    from lightning_gan.averages.ema import EMA
    from lightning_gan.balances.base import Balance
    from lightning_gan.components.registry import API_VERSION
    from lightning_gan.create import (
        create_alternation,
        create_augment,
        create_average,
        create_balance,
        create_discriminator,
        create_generator,
        create_loss,
        create_prior,
        create_regularizer,
        create_schedule,
    )
    from lightning_gan.discriminators.base import Discriminator
    from lightning_gan.errors import InputError, NotFiniteError, PluginError
    from lightning_gan.export.load import load_generator
    from lightning_gan.game.adversary import Adversary
    from lightning_gan.game.batches import BatchKeys, prepare_batch
    from lightning_gan.game.engine import Engine
    from lightning_gan.game.game import Game
    from lightning_gan.game.gan import GAN
    from lightning_gan.generators.base import Generator
    from lightning_gan.losses.base import AdversarialLoss
    from lightning_gan.priors.base import Prior
    from lightning_gan.regularizers.base import Regularizer
    from lightning_gan.schedules.base import Schedule
    from lightning_gan.step import AdversarialStep
    from lightning_gan.training.module import GANModule
    from lightning_gan.types import (
        Batch,
        DiscriminatorOutput,
        Feedback,
        GeneratorOutput,
        ParameterGroup,
        Player,
        Progress,
    )

_HOMES = {
    "API_VERSION": "components.registry",
    "AdversarialLoss": "losses.base",
    "AdversarialStep": "step",
    "Adversary": "game.adversary",
    "Alternation": "alternations.base",
    "Augment": "augments.base",
    "Average": "averages.base",
    "Balance": "balances.base",
    "Batch": "types",
    "BatchKeys": "game.batches",
    "Discriminator": "discriminators.base",
    "DiscriminatorOutput": "types",
    "EMA": "averages.ema",
    "Engine": "game.engine",
    "Feedback": "types",
    "GAN": "game.gan",
    "GANModule": "training.module",
    "Game": "game.game",
    "Generator": "generators.base",
    "GeneratorOutput": "types",
    "InputError": "errors",
    "NotFiniteError": "errors",
    "ParameterGroup": "types",
    "Player": "types",
    "PluginError": "errors",
    "Prior": "priors.base",
    "Progress": "types",
    "Regularizer": "regularizers.base",
    "Schedule": "schedules.base",
    "create_alternation": "create",
    "create_augment": "create",
    "create_average": "create",
    "create_balance": "create",
    "create_discriminator": "create",
    "create_generator": "create",
    "create_loss": "create",
    "create_prior": "create",
    "create_regularizer": "create",
    "create_schedule": "create",
    "load_generator": "export.load",
    "prepare_batch": "game.batches",
}

__all__ = [
    "API_VERSION",
    "EMA",
    "GAN",
    "AdversarialLoss",
    "AdversarialStep",
    "Adversary",
    "Alternation",
    "Augment",
    "Average",
    "Balance",
    "Batch",
    "BatchKeys",
    "Discriminator",
    "DiscriminatorOutput",
    "Engine",
    "Feedback",
    "GANModule",
    "Game",
    "Generator",
    "GeneratorOutput",
    "InputError",
    "NotFiniteError",
    "ParameterGroup",
    "Player",
    "PluginError",
    "Prior",
    "Progress",
    "Regularizer",
    "Schedule",
    "__version__",
    "create_alternation",
    "create_augment",
    "create_average",
    "create_balance",
    "create_discriminator",
    "create_generator",
    "create_loss",
    "create_prior",
    "create_regularizer",
    "create_schedule",
    "load_generator",
    "prepare_batch",
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
