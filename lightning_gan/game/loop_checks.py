"""Checks of what a loop of somebody else's hands over, one sentence for each that can be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.augments.base import Augment
from lightning_gan.balances.base import Balance
from lightning_gan.components.part import Part
from lightning_gan.errors import InputError
from lightning_gan.game.checks import check_labels, check_samples
from lightning_gan.game.conditions import class_entry, classes_of
from lightning_gan.game.fitting import check_kinds, check_owner, check_requirements
from lightning_gan.game.torch_seams import is_compiled
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.schedules.base import Schedule
from lightning_gan.types import as_generator_output, describe, fits, is_low_precision


def check_tensor(x: Any, what: str, network: nn.Module) -> None:
    """Check that samples are a tensor on the device of a network.

    Args:
        x: The samples.
        what: What they are called.
        network: The network that they are for.

    Raises:
        InputError: They are something else, or somewhere else.
    """
    if not isinstance(x, Tensor):
        raise InputError(f"{what} must be a tensor of samples, got {describe(x)}")
    home = next((p.device for p in network.parameters()), x.device)
    if x.device != home:
        raise InputError(
            f"{what} are on {x.device} and {type(network).__name__} on {home}: bring them there "
            f"with x.to({str(home)!r}), or move the network before training starts"
        )


def check_members(
    discriminator: Any,
    generator: Any,
    parts: Mapping[str, Any],
    regularizers: Any,
    schedules: Any,
) -> None:
    """Check what an Adversary is made of.

    Args:
        discriminator: A network.
        generator: A network, or None.
        parts: Loss, augmentation and balance, by these names, as far as they are there.
        regularizers: Regularizers by name.
        schedules: Schedules by path.

    Raises:
        InputError: Something is of the wrong kind, or does not fit the discriminator.
    """
    if not isinstance(discriminator, nn.Module):
        raise InputError(
            f"discriminator must be a network, got {discriminator!r}; "
            f"lightning_gan.create_discriminator({discriminator!r}, ...) builds a registered one"
        )
    if not isinstance(generator, (nn.Module, NoneType)):
        raise InputError(f"generator must be a network or None, got {generator!r}")
    for name, given in (("regularizers", regularizers), ("schedules", schedules)):
        if not isinstance(given, Mapping):
            raise InputError(f"{name} must be a dict of names and objects, got {given!r}")
    kinds = {"loss": AdversarialLoss, "augment": Augment, "balance": Balance}
    members = {
        **{name: (part, kinds[name]) for name, part in parts.items()},
        **{f"regularizers.{name}": (part, Regularizer) for name, part in regularizers.items()},
        **{f"schedules[{path!r}]": (part, Schedule) for path, part in schedules.items()},
    }
    check_kinds(members, regularizers)
    check_requirements(parts["loss"], regularizers, generator, discriminator)
    twice = [name for name, each in regularizers.items() if each.differentiates]
    if twice and is_compiled(discriminator):
        raise InputError(
            f"regularizers {', '.join(twice)} differentiate the discriminator twice, which "
            "torch.compile cannot: do not compile it, or leave them out"
        )


def check_choices(heads: Any, max_skipped: Any) -> None:
    """Check how heads are joined, and how many updates may be left out in a row.

    Raises:
        InputError: One is none of the choices.
    """
    if heads not in ("mean", "sum"):
        raise InputError(f"heads must be 'mean' or 'sum', got {heads!r}")
    if max_skipped is not None and (type(max_skipped) is not int or max_skipped < 1):
        raise InputError(f"max_skipped must be a whole number from 1, or None, got {max_skipped!r}")


def bind(part: Part, generator: nn.Module | None, discriminator: nn.Module) -> None:
    """Let a part get to know the networks, if it asks for that.

    Raises:
        InputError: There is no generator to know.
    """
    if generator is not None:
        part.bind(generator, discriminator)
        check_owner("a part", part)
    elif type(part).bind is not Part.bind:
        raise InputError(
            f"{type(part).__name__} has to know the generator: Adversary(..., generator=net)"
        )


def check_pair(real: Any, fake: Any, y: Any, fake_y: Any, *, equal: bool) -> None:
    """Check what costs nothing to look at, of every batch.

    Args:
        real: Real samples.
        fake: Fakes, or a GeneratorOutput.
        y: Condition of the real samples.
        fake_y: Condition of the fakes, where it is another.
        equal: Whether there must be as many fakes as real samples.

    Raises:
        InputError: Something is no tensor, or the numbers differ.
    """
    samples = as_generator_output(fake).samples
    for what, x in (("real samples", real), ("fakes", samples)):
        if not isinstance(x, Tensor):
            also = " or a GeneratorOutput" if what == "fakes" else ""
            raise InputError(f"{what} must be a tensor{also}, got {describe(x)}")
    if real.dim() != samples.dim() or real.dim() == 0:
        raise InputError(
            f"real samples and fakes must be of one kind, N first, got shapes {tuple(real.shape)} "
            f"and {tuple(samples.shape)}"
        )
    if len(real) == len(samples):
        return
    if equal:
        raise InputError(
            f"as many fakes as real samples are compared, got {len(samples)} and {len(real)}"
        )
    if y is not None and fake_y is None:
        raise InputError(
            f"there are {len(samples)} fakes and {len(real)} real samples with a condition: give "
            "the fakes' own, fake_y=..."
        )


def check_first(discriminator: nn.Module, real: Tensor, fake: Any, y: Any, fake_y: Any) -> None:
    """Check the first batch by its values.

    Args:
        discriminator: Who will see it.
        real: Real samples, shape (N, *sample_shape).
        fake: Fakes, or a GeneratorOutput.
        y: Condition of the real samples, or None.
        fake_y: Condition of the fakes, or None where it is the same.

    Raises:
        InputError: Shape, type, device or values do not fit the discriminator.
    """
    fake = as_generator_output(fake).samples
    shape = getattr(discriminator, "sample_shape", None)
    dtype = next((p.dtype for p in discriminator.parameters()), real.dtype)
    check_tensor(real, "real samples", discriminator)
    check_tensor(fake, "fakes", discriminator)
    check_samples(real, shape, dtype)
    if shape is not None and not fits(fake.shape[1:], shape):
        raise InputError(
            f"fakes have shape {tuple(fake.shape[1:])}, the discriminator expects {tuple(shape)}"
        )
    if fake.dtype != dtype and not (is_low_precision(fake) and _under_autocast(fake)):
        raise InputError(
            f"fakes are {fake.dtype} and the discriminator {dtype}: convert them with "
            f"fake.to({dtype}), or call this under the torch.autocast that made them"
        )
    classes = getattr(discriminator, "num_classes", None)
    if classes is not None:
        entry, unlabeled = class_entry(discriminator), _takes_unlabeled(discriminator)
        check_labels(classes_of(y, entry), len(real), classes, unlabeled)
        if fake_y is not None:
            check_labels(classes_of(fake_y, entry), len(fake), classes, unlabeled)


def _under_autocast(x: Tensor) -> bool:
    return torch.is_autocast_enabled(x.device.type)


def _takes_unlabeled(discriminator: nn.Module) -> bool:
    return bool(getattr(discriminator, "takes_unlabeled", False))
