"""The check of a component of any kind, by name, class or object."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from lightning_gan.components import registry
from lightning_gan.testing.alternation import check_alternation
from lightning_gan.testing.augment import check_augment
from lightning_gan.testing.discriminator import check_discriminator
from lightning_gan.testing.expectations import expect, own_randomness
from lightning_gan.testing.generator import check_generator
from lightning_gan.testing.loss import check_loss
from lightning_gan.testing.prior import check_prior
from lightning_gan.testing.regularizer import check_regularizer

# What constructors take by convention, for those that cannot do without.
CONVENTIONAL_ARGUMENTS = {"sample_shape": (1, 8, 8)}

_CHECKS: dict[str, Callable[[Any], None]] = {
    "generator": check_generator,
    "discriminator": check_discriminator,
    "loss": check_loss,
    "regularizer": check_regularizer,
    "alternation": check_alternation,
    "augment": check_augment,
    "prior": check_prior,
}


def check_component(kind: str, component: Any, /, **constructor_arguments: Any) -> None:
    """Check that a component fulfils the contract of its kind.

    Args:
        kind: "generator", "discriminator", "loss", "regularizer", "alternation", "augment" or
            "prior".
        component: A registered name, a class or an object.
        constructor_arguments: What to build a name or a class with. A constructor that requires
            ``sample_shape`` gets (1, 8, 8) where it is not given here.

    Raises:
        PluginError: No such kind or name.
        ConformanceError: The component breaks its contract.

    Example:
        >>> check_component("loss", "non_saturating", real_target=0.9)
    """
    base = registry.kind(kind).load_base()
    if isinstance(component, str):
        component = registry.load(kind, component)
    if isinstance(component, type):
        expect(issubclass(component, base), component, f"must derive from {base.__name__}")
    with own_randomness():
        if isinstance(component, type):
            component = component(**{**_conventional(component), **constructor_arguments})
        _CHECKS[kind](component)


def _conventional(component: type) -> dict[str, Any]:
    """Return values for the conventional arguments that a constructor requires."""
    parameters = inspect.signature(component).parameters.values()
    required = {
        p.name
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.default is p.empty
    }
    return {name: value for name, value in CONVENTIONAL_ARGUMENTS.items() if name in required}
