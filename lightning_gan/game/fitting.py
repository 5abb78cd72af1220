"""Checks of the parts at construction: one sentence for each thing that can be wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.augments.base import Augment
from lightning_gan.components.part import Part
from lightning_gan.errors import InputError
from lightning_gan.game import randomness
from lightning_gan.game.statistics import evaluating
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import called
from lightning_gan.types import (
    DiscriminatorOutput,
    Player,
    as_discriminator_output,
    as_generator_output,
)

PREPARE = (AdversarialLoss, Augment, Regularizer)


def check_parts(
    generator: Any,
    discriminator: Any,
    parts: Mapping[str, tuple[Any, type]],
    regularizers: Mapping[str, Any],
) -> None:
    """Check that the parts of a GANModule are of the right kind and fit each other.

    Args:
        generator: A network with ``latent_dim`` and ``sample_shape``.
        discriminator: A network.
        parts: The other parts by name, each with the class it must be an instance of.
        regularizers: Regularizers by name.

    Raises:
        InputError: A part is of the wrong kind, or shapes, class counts or needs do not match.
    """
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(network, nn.Module):
            raise InputError(
                f"{name} must be a network, got {network!r}; "
                f"lightning_gan.create_{name}({network!r}, ...) builds a registered one"
            )
    for attribute in ("latent_dim", "sample_shape"):
        if not hasattr(generator, attribute):
            raise InputError(
                f"{type(generator).__name__} has no attribute {attribute!r}, which every generator "
                "needs; derive it from lightning_gan.Generator or set it"
            )
    check_kinds(parts, regularizers)
    _check_match(generator, discriminator, "sample_shape")
    _check_match(generator, discriminator, "num_classes")
    check_requirements(parts["loss"][0], regularizers, generator, discriminator)


def check_kinds(parts: Mapping[str, tuple[Any, type]], regularizers: Mapping[str, Any]) -> None:
    """Check that each part is of its kind and has an owner, and each regularizer a name.

    Args:
        parts: The parts by name, each with the class it must be an instance of.
        regularizers: Regularizers by name.

    Raises:
        InputError: One is not so.
    """
    for name, (part, base) in parts.items():
        if not isinstance(part, base):
            raise InputError(f"{name} must be a lightning_gan.{base.__name__}, got {part!r}")
    for name, (part, _) in parts.items():
        check_owner(name, part)
        if isinstance(part, Part) and part.prepares and not isinstance(part, PREPARE):
            raise InputError(
                f"{name} ({type(part).__name__}) has a method prepare, which is asked of a loss, "
                "an augmentation and regularizers alone: do it in one of these"
            )
    names: dict[int, str] = {}
    for name, part in regularizers.items():
        if names.setdefault(id(part), name) != name:
            raise InputError(
                f"regularizers {names[id(part)]!r} and {name!r} are one object: make two"
            )
        if not name.isidentifier() or hasattr(nn.ModuleDict, name):
            raise InputError(f"a regularizer cannot be called {name!r}; choose a plain word")


def _check_match(generator: nn.Module, discriminator: nn.Module, attribute: str) -> None:
    ours, theirs = getattr(generator, attribute, None), getattr(discriminator, attribute, None)
    if ours is None or theirs is None:
        return
    if attribute == "sample_shape":
        match = len(ours) == len(theirs)
        sizes = zip(ours, theirs, strict=True) if match else ()
        match = match and all(None in pair or pair[0] == pair[1] for pair in sizes)
    else:
        match = ours == theirs
    if not match:
        raise InputError(
            f"generator and discriminator differ in {attribute}: {ours} and {theirs}; "
            "give both the data's"
        )


def check_apart(generator: Iterable[nn.Module], discriminator: Iterable[nn.Module]) -> None:
    """Refuse trainable parameters that both players would train.

    Args:
        generator: The generator, and the parts that it trains.
        discriminator: The discriminator, and the parts that it trains.

    Raises:
        InputError: There are some.
    """

    def named(modules: Iterable[nn.Module]) -> dict[int, str]:
        return {
            id(p): f"{type(module).__name__}.{name}"
            for module in modules
            for name, p in module.named_parameters(remove_duplicate=False)
            if p.requires_grad
        }

    ours, theirs = named(generator), named(discriminator)
    both = [name for key, name in ours.items() if key in theirs]
    if both:
        raise InputError(
            f"generator and discriminator share {len(both)} trainable parameters such as "
            f"{both[0]}, which each would train against the other: give one a copy, or freeze them"
        )


def check_owner(name: str, part: nn.Module) -> None:
    """Refuse parameters that no optimizer would train.

    Args:
        name: What the part is called.
        part: The part, before and after it has got to know the networks.

    Raises:
        InputError: It has trainable parameters and no owner.
    """
    orphans = [key for key, p in part.named_parameters() if p.requires_grad]
    owner = getattr(part, "trained_by", None)
    if orphans and owner not in tuple(Player):
        raise InputError(
            f"{name} ({type(part).__name__}) has parameters that no player trains, such as "
            f"{orphans[0]}: set its trained_by to Player.GENERATOR or Player.DISCRIMINATOR, or "
            "freeze them with requires_grad_(False)"
        )


def check_requirements(
    loss: Any,
    regularizers: Mapping[str, Any],
    generator: nn.Module | None,
    discriminator: nn.Module,
) -> None:
    """Check that the networks have what loss and regularizers need.

    Args:
        loss: The loss.
        regularizers: Regularizers by name.
        generator: The generator; None where it is unknown, and with it what it provides.
        discriminator: The discriminator.

    Raises:
        InputError: A part needs what no network has.
    """
    needing = {f"regularizer {name!r}": each for name, each in regularizers.items()}
    for what, part in {"loss": loss, **needing}.items():
        _check_requirements(what, part, generator, discriminator)


def _check_requirements(
    what: str, part: Any, generator: nn.Module | None, discriminator: nn.Module
) -> None:
    inputs: frozenset[str] = getattr(part, "differentiates", frozenset())
    unknown = inputs - {"real", "fake", "points"}
    if unknown:
        raise InputError(
            f"{what} differentiates {', '.join(sorted(unknown))}; only 'real', 'fake' and 'points' "
            "can be"
        )
    for need in sorted(part.requires):
        if not _provides(generator, discriminator, need):
            theirs = type(discriminator).__name__
            nobody = f"neither {type(generator).__name__} nor {theirs} provides"
            raise InputError(
                f"{what} ({type(part).__name__}) needs {need!r}, which "
                f"{nobody if generator is not None else f'{theirs} does not provide'}"
            )


def _provides(generator: nn.Module | None, discriminator: nn.Module, need: str) -> bool:
    """Whether an output has what a part needs, tried out where shapes are known."""
    shape = getattr(discriminator, "sample_shape", None)
    said = _tried(discriminator, _zeros(discriminator, shape), as_discriminator_output)
    if need in DiscriminatorOutput.__dataclass_fields__:
        return said is None or getattr(said, need) is not None
    if generator is None or hasattr(generator, need) or hasattr(discriminator, need):
        return True
    size = getattr(generator, "latent_dim", None)  # somebody else's generator may have none
    latents = _zeros(generator, None if size is None else (size,))
    made = _tried(generator, latents, as_generator_output)
    # What could not be tried, because it takes other conditions than classes, may have it.
    return any(output is None or need in output.extra for output in (said, made))


def _zeros(network: nn.Module, shape: Sequence[int | None] | None) -> Tensor | None:
    if shape is None or None in shape:
        return None
    like = next(network.parameters(), torch.zeros(()))
    sizes = [size for size in shape if size is not None]
    return torch.zeros(2, *sizes, dtype=like.dtype, device=like.device)


def _tried(network: nn.Module, x: Tensor | None, read: Callable[[Any], Any]) -> Any:
    """Return what a network makes of two samples or latents of zeros; None if it cannot."""
    if x is None:
        return None
    y = torch.zeros(2, dtype=torch.int64, device=x.device)
    try:
        with torch.no_grad(), evaluating(network), randomness.preserved(x.device):
            return read(called(network, x, y if getattr(network, "num_classes", None) else None))
    except Exception:  # whatever it makes of a condition that is missing
        return None
