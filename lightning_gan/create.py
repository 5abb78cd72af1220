"""Build components by their registered names, as ``timm.create_model`` does.

A name is a short one (``"dcgan"``) or, where two distributions register the same, a qualified one
(``"their-package:dcgan"``).
"""

from __future__ import annotations

from typing import Any, cast

from lightning_gan.alternations.base import Alternation
from lightning_gan.augments.base import Augment
from lightning_gan.averages.base import Average
from lightning_gan.balances.base import Balance
from lightning_gan.components import registry
from lightning_gan.components.taking import make
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.priors.base import Prior
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.schedules.base import Schedule


def create_generator(name: str, /, **arguments: Any) -> Generator:
    """Build a registered generator.

    Args:
        name: Its name, or ``distribution:name``.
        arguments: The constructor's arguments.

    Raises:
        PluginError: The name is unknown or ambiguous, or the plugin is broken.
        InputError: An argument is unknown, missing or wrong.

    Example:
        >>> create_generator("mlp", sample_shape=(1, 8, 8), latent_dim=16).latent_dim
        16
    """
    return cast(Generator, _create("generator", name, arguments))


def create_discriminator(name: str, /, **arguments: Any) -> Discriminator:
    """Build a registered discriminator; see :func:`create_generator`."""
    return cast(Discriminator, _create("discriminator", name, arguments))


def create_loss(name: str, /, **arguments: Any) -> AdversarialLoss:
    """Build a registered loss; see :func:`create_generator`."""
    return cast(AdversarialLoss, _create("loss", name, arguments))


def create_regularizer(name: str, /, **arguments: Any) -> Regularizer:
    """Build a registered regularizer; see :func:`create_generator`."""
    return cast(Regularizer, _create("regularizer", name, arguments))


def create_alternation(name: str, /, **arguments: Any) -> Alternation:
    """Build a registered alternation; see :func:`create_generator`."""
    return cast(Alternation, _create("alternation", name, arguments))


def create_augment(name: str, /, **arguments: Any) -> Augment:
    """Build a registered augmentation; see :func:`create_generator`."""
    return cast(Augment, _create("augment", name, arguments))


def create_prior(name: str, /, **arguments: Any) -> Prior:
    """Build a registered prior; see :func:`create_generator`."""
    return cast(Prior, _create("prior", name, arguments))


def create_average(name: str, /, **arguments: Any) -> Average:
    """Build a registered average of the generator; see :func:`create_generator`."""
    return cast(Average, _create("average", name, arguments))


def create_schedule(name: str, /, **arguments: Any) -> Schedule:
    """Build a registered schedule; see :func:`create_generator`."""
    return cast(Schedule, _create("schedule", name, arguments))


def create_balance(name: str, /, **arguments: Any) -> Balance:
    """Build a registered balance; see :func:`create_generator`."""
    return cast(Balance, _create("balance", name, arguments))


def _create(kind: str, name: str, arguments: dict[str, Any]) -> Any:
    return make(f"{kind} {name!r}", registry.load(kind, name), arguments)
