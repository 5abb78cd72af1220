"""The check of a component of any kind, by name, class or object."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from lightning_gan.components import registry
from lightning_gan.errors import InputError, PluginError, nearest
from lightning_gan.testing.alternation import check_alternation
from lightning_gan.testing.augment import check_augment
from lightning_gan.testing.average import check_average
from lightning_gan.testing.balance import check_balance
from lightning_gan.testing.discriminator import check_discriminator
from lightning_gan.testing.expectations import expect, failure, own_randomness, said
from lightning_gan.testing.generator import check_generator
from lightning_gan.testing.loss import check_loss
from lightning_gan.testing.prior import check_prior
from lightning_gan.testing.regularizer import check_regularizer
from lightning_gan.testing.schedule import check_schedule

# What constructors take by convention, for those that cannot do without.
CONVENTIONAL_ARGUMENTS = {"sample_shape": (1, 8, 8)}

_CHECKS: dict[str, Callable[..., None]] = {
    "generator": check_generator,
    "discriminator": check_discriminator,
    "loss": check_loss,
    "regularizer": check_regularizer,
    "alternation": check_alternation,
    "augment": check_augment,
    "prior": check_prior,
    "average": check_average,
    "schedule": check_schedule,
    "balance": check_balance,
}


def check_component(
    kind: str, component: Any, /, *, arguments: Mapping[str, Any] | None = None, **keywords: Any
) -> None:
    """Check that a component fulfils the contract of its kind.

    A name or a class is built first. Keywords of the check of its kind (``check_generator`` and so
    on: ``y``, ``networks``, ``prior``, ``batches``, ``latent_dim`` ...) go to the check, all others
    to the constructor. A word that is both is refused; ``arguments`` settles it: where it is given,
    it has all that the constructor gets, and every keyword goes to the check.

    Args:
        kind: "generator", "discriminator", "loss", "regularizer", "alternation", "augment",
            "prior", "average", "schedule" or "balance".
        component: A registered name, a class or an object, which stays as it is.
        arguments: What to build a name or a class with. A constructor that requires
            ``sample_shape`` gets (1, 8, 8) where it is not given; the check tries the same.
        keywords: Keywords of the check; and, without ``arguments``, of the constructor.

    Raises:
        PluginError: No such kind or name.
        InputError: A keyword has no place to go to, or two.
        ConformanceError: The component breaks its contract.

    Example:
        >>> check_component("loss", "non_saturating", real_target=0.9)
        >>> check_component("prior", "normal", arguments={"std": 2.0}, latent_dim=3)
    """
    base = registry.kind(kind).load_base()
    if kind not in _CHECKS:
        raise PluginError(
            f"there is no check of the kind {kind!r}, whose contract is torch's; kinds that are "
            f"checked: {', '.join(_CHECKS)}"
        )
    check = _CHECKS[kind]
    if isinstance(component, str):
        component = registry.load(kind, component)
    if isinstance(component, type):
        expect(
            issubclass(component, base),
            component,
            f"must derive from {base.__name__}: write class {component.__name__}("
            f"lightning_gan.{base.__name__})",
        )
        given, keywords = _sorted_out(component, check, arguments, keywords)
        given = {**_conventional(component), **given}
        if "sample_shape" in _own_words(check) - keywords.keys() and "networks" not in keywords:
            keywords = {**{k: v for k, v in given.items() if k == "sample_shape"}, **keywords}
        with own_randomness():
            component = _built(component, given)
    else:
        _refuse_unknown(check, {**(arguments or {}), **keywords}, "a ready object is built already")
    check(component, **keywords)


def sort_keywords(
    kind: str, component: type, keywords: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return which of the keywords of :func:`check_component` a constructor gets, and its check.

    Raises:
        InputError: A keyword has no place to go to, or two.
    """
    given = dict(keywords)
    arguments = given.pop("arguments", None)
    if kind not in _CHECKS:
        return {**(arguments or {}), **given}, {}
    return _sorted_out(component, _CHECKS[kind], arguments, given)


def _own_words(check: Callable[..., None]) -> set[str]:
    """Return the keywords of a check."""
    parameters = inspect.signature(check).parameters.values()
    return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}


def _sorted_out(
    component: type,
    check: Callable[..., None],
    arguments: Mapping[str, Any] | None,
    keywords: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the constructor gets, and what the check gets."""
    if arguments is not None:
        _refuse_unknown(check, keywords, "the constructor's stand in arguments={...}")
        return dict(arguments), keywords
    words = _own_words(check)
    both = sorted(keywords.keys() & words & inspect.signature(component).parameters.keys())
    if both:
        raise InputError(
            f"{both[0]} is a keyword of {check.__name__} and an argument of {component.__name__}: "
            f"give the constructor's as arguments={{{both[0]!r}: ...}}, and the check's beside it"
        )
    given = {name: value for name, value in keywords.items() if name not in words}
    return given, {name: value for name, value in keywords.items() if name in words}


def _refuse_unknown(check: Callable[..., None], keywords: Mapping[str, Any], reason: str) -> None:
    words = _own_words(check)
    for name in keywords:
        if name not in words:
            raise InputError(
                f"{check.__name__} takes no {name!r}{nearest(name, words) or ':'} {reason}; its "
                f"keywords: {', '.join(sorted(words))}"
            )


def _conventional(component: type) -> dict[str, Any]:
    """Return values for the conventional arguments that a constructor requires."""
    parameters = inspect.signature(component).parameters.values()
    required = {
        p.name
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.default is p.empty
    }
    return {name: value for name, value in CONVENTIONAL_ARGUMENTS.items() if name in required}


def _built(component: type, given: Mapping[str, Any]) -> Any:
    try:
        return component(**given)
    except InputError:  # the component's own sentence
        raise
    except Exception as error:
        raise failure(
            component,
            f"must be built from {', '.join(given) or 'no arguments'}, but raises {said(error)}: "
            "give what the constructor needs as keywords, or a ready object",
        ) from error
