"""The one place that draws conditions for samples that nobody named conditions for."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.step import called
from lightning_gan.types import describe, map_tensors, rows

ROOM = 256  # held-out samples that are kept
CPU = torch.device("cpu")


class NoConditionError(InputError):
    """A generator that asks for a condition, and none is there to draw."""


class Held(NamedTuple):
    """Held-out samples and their conditions, on the CPU.

    Attributes:
        real: Samples, shape (N, *sample_shape).
        y: Their conditions, N first; None where the data have none.
    """

    real: Tensor
    y: Any

    def first(self, n: int) -> Held:
        """Return n of them, from the first on, again from there where they do not suffice."""
        index = torch.arange(n) % len(self.real)
        return Held(self.real[index], rows(self.y, index, len(self.real)))


class Conditions:
    """Classes where there are classes, otherwise the conditions of held-out batches.

    Args:
        generator: The network whose conditions these are.

    Attributes:
        held: What was held out so far, or None.
    """

    def __init__(self, generator: nn.Module) -> None:
        self._generator = generator
        self.held: Held | None = None

    @property
    def classes(self) -> int | None:
        """The number of classes, where the condition is a class and nothing else."""
        if class_entry(self._generator) is not None:
            return None
        classes: int | None = getattr(self._generator, "num_classes", None)
        return classes

    def hold(self, real: Tensor, y: Any) -> None:
        """Keep samples with their conditions, if any, in place of what was kept before."""
        if len(real):
            first = (real[:ROOM], rows(y, slice(ROOM), len(real)))
            self.held = Held(*map_tensors(lambda x: x.detach().to(CPU, copy=True), first))

    def hands_on(self, y: Any) -> bool:
        """Whether samples are asked for by conditions such as y of the data, and not by classes.

        Classes in data whose generator has none are not conditions: nobody asks for them.
        """
        of_data = isinstance(y, Tensor) and y.dim() == 1 and not y.is_floating_point()
        return y is not None and self.classes is None and not of_data

    def draw(self, n: int, source: torch.Generator) -> Any:
        """Draw n conditions on the CPU; None where there are neither classes nor held-out ones.

        Args:
            n: How many.
            source: Source of randomness, on the CPU.
        """
        if self.classes is not None:
            return torch.randint(self.classes, (n,), generator=source)
        if self.held is None or not self.hands_on(self.held.y):
            return None
        index = torch.randint(len(self.held.real), (n,), generator=source)
        return rows(self.held.y, index, len(self.held.real))


def generated(generator: nn.Module, z: Tensor, y: Any) -> Any:
    """Return what a generator makes of latents and conditions.

    Raises:
        NoConditionError: It asks for a condition, and y is None or lacks an entry.
    """
    name = type(generator).__name__
    try:
        return called(generator, z, y)
    except (TypeError, AttributeError, KeyError, IndexError) as error:
        if isinstance(error, KeyError) and isinstance(y, Mapping) and error.args[0] not in y:
            raise NoConditionError(
                f"{name} asks for the entry {error.args[0]!r} of its condition, got {describe(y)}; "
                "pass all of them, sample(n, labels={...})"
            ) from error
        if y is not None:
            raise
        raise NoConditionError(
            f"{name} asks for a condition, and there is none to draw: no classes, and no held-out "
            "batch has been seen; pass conditions, sample(n, labels=...)"
        ) from error


def class_entry(network: nn.Module) -> str | None:
    """Return the entry of a dict condition that holds a network's classes; None: all of it."""
    return getattr(network, "class_entry", None)


def classes_of(y: Any, entry: str | None) -> Any:
    """Return the class labels of a condition.

    Args:
        y: The condition.
        entry: The entry of a dict that holds them; None: the condition is the labels.
    """
    return y.get(entry) if entry is not None and isinstance(y, Mapping) else y


def with_classes(classes: Tensor, entry: str | None, others: Any) -> Any:
    """Return a condition that holds classes: themselves, or a dict in which they are an entry.

    Args:
        classes: int64, shape (N,).
        entry: Which entry; None: there is nothing else.
        others: A dict of what else there is, N first, whose own classes are replaced; or None.

    Raises:
        InputError: Classes are to be an entry of what is no dict.
    """
    if entry is None:
        return classes
    if not isinstance(others, (Mapping, NoneType)):
        raise InputError(
            f"a condition must be a dict whose entry {entry!r} holds the classes (class_entry), "
            f"got {describe(others)}: let prepare_batch make one"
        )
    return {**(others or {}), entry: classes}
