"""Parameters by name or pattern: those that are not trained, and those with rates of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from torch import nn

from lightning_gan.errors import InputError, nearest
from lightning_gan.types import finite


def freeze(generator: nn.Module, discriminator: nn.Module, patterns: Sequence[str]) -> None:
    """Freeze the parameters that the patterns name.

    Args:
        generator: Its parameters are called ``generator.<name>``.
        discriminator: Its parameters are called ``discriminator.<name>``.
        patterns: Each names a parameter, everything below a module, or, with ``*``, what fits.

    Raises:
        InputError: A pattern names nothing, or there is no list of them.
    """
    listed = isinstance(patterns, (list, tuple))
    if not listed or not all(isinstance(each, str) for each in patterns):
        raise InputError(
            f"freeze must be a list of names or patterns, such as ['discriminator'], got "
            f"{patterns!r}"
        )
    parameters = dict(_named(generator, discriminator))
    for pattern in patterns:
        for name in _found(parameters, pattern, "freeze"):
            parameters[name].requires_grad_(False)


def check_rates(generator: nn.Module, discriminator: nn.Module, rates: object) -> dict[str, float]:
    """Check factors of learning rates by pattern, as :func:`freeze` reads patterns.

    Args:
        generator: Its parameters are called ``generator.<name>``.
        discriminator: Its parameters are called ``discriminator.<name>``.
        rates: A factor for each pattern.

    Returns:
        The factors.

    Raises:
        InputError: A pattern names nothing, a factor is not positive, or there is no such mapping.
    """
    if not isinstance(rates, dict) or not all(isinstance(each, str) for each in rates):
        raise InputError(
            "rates must be a mapping of names or patterns to factors, such as "
            f"{{'generator.mapping': 0.01}}, got {rates!r}"
        )
    parameters = dict(_named(generator, discriminator))
    checked = {}
    for pattern, rate in rates.items():
        _found(parameters, pattern, "rates")
        checked[pattern] = finite(rate, f"rates[{pattern!r}]")
        if checked[pattern] <= 0:
            raise InputError(
                f"rates[{pattern!r}] must be positive, got {rate!r}; what is not to be trained "
                "belongs into freeze"
            )
    return checked


def rate_of(name: str, rates: Mapping[str, float]) -> tuple[str | None, float]:
    """Return the last pattern that fits a parameter's name, and its factor; (None, 1) without."""
    fitting = [(pattern, rate) for pattern, rate in rates.items() if _fits(name, pattern)]
    return fitting[-1] if fitting else (None, 1.0)


def _found(parameters: Iterable[str], pattern: str, option: str) -> list[str]:
    found = [name for name in parameters if _fits(name, pattern)]
    if not found:
        modules = {name.rpartition(".")[0] for name in parameters}
        raise InputError(
            f"{option}: {pattern!r} names no parameter{nearest(pattern, modules) or '.'} "
            f"Modules with parameters: {', '.join(sorted(modules)[:20])}"
        )
    return found


def frozen_names(generator: nn.Module, discriminator: nn.Module) -> list[str]:
    """Return the names of all parameters that require no gradient."""
    named = _named(generator, discriminator)
    return [name for name, parameter in named if not parameter.requires_grad]


def freeze_again(generator: nn.Module, discriminator: nn.Module, names: Iterable[str]) -> list[str]:
    """Freeze the parameters of these names; what is not there any more is passed over.

    Returns:
        The names of those that were not frozen before.
    """
    wanted = set(names)
    changed = []
    for name, parameter in _named(generator, discriminator):
        if name in wanted and parameter.requires_grad:
            parameter.requires_grad_(False)
            changed.append(name)
    return changed


def _named(generator: nn.Module, discriminator: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    yield from generator.named_parameters("generator")
    yield from discriminator.named_parameters("discriminator")


def _fits(name: str, pattern: str) -> bool:
    below = fnmatchcase(name, f"{pattern}.*")
    return below or fnmatchcase(name, pattern)
