"""Scalars as functions of the number of images seen.

``GANModule(schedules={"regularizers.r1.weight": Cosine(10.0, 1.0, kimg=100)})`` sets any numeric
attribute of the module or its parts before every batch. One clock serves them all: real images
seen over all processes, in thousands (kimg).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from lightning_gan.components.spec import Component
from lightning_gan.errors import InputError, nearest


class Schedule(Component, ABC):
    """A scalar as a function of images seen."""

    @abstractmethod
    def at(self, images: int) -> float:
        """Return the value after ``images`` real images."""


class Constant(Schedule):
    """The same value throughout.

    Args:
        value: The value.
    """

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def at(self, images: int) -> float:
        """Return the value."""
        return self.value


class Ramp(Schedule):
    """From one value to another over a span of training; constant before and after.

    Args:
        start: Value up to ``begin_kimg``.
        end: Value from ``begin_kimg + kimg`` on.
        kimg: Length of the change, in thousands of images.
        begin_kimg: Where the change begins, in thousands of images.

    Raises:
        InputError: ``kimg`` is not positive or ``begin_kimg`` is negative.
    """

    def __init__(self, start: float, end: float, kimg: float, begin_kimg: float = 0.0) -> None:
        super().__init__()
        if kimg <= 0 or begin_kimg < 0:
            raise InputError(
                f"kimg must be positive and begin_kimg 0 or more, got {kimg} and {begin_kimg}"
            )
        self.start, self.end, self.kimg, self.begin_kimg = start, end, kimg, begin_kimg

    def at(self, images: int) -> float:
        """Return the value after ``images`` real images."""
        done = (images / 1000 - self.begin_kimg) / self.kimg
        return self.start + (self.end - self.start) * self.shape(min(max(done, 0.0), 1.0))

    @abstractmethod
    def shape(self, done: float) -> float:
        """Return the share of the change made when a share ``done`` of the span has passed."""


class Linear(Ramp):
    """A straight line from ``start`` to ``end``; see :class:`Ramp`."""

    def shape(self, done: float) -> float:
        """Return ``done``."""
        return done


class Cosine(Ramp):
    """Half a cosine from ``start`` to ``end`` (Loshchilov & Hutter 2017, equation 5)."""

    def shape(self, done: float) -> float:
        """Return (1 - cos(pi done)) / 2."""
        return 0.5 * (1 - math.cos(math.pi * done))


class BurnIn(Ramp):
    """``start`` until the burn-in of ``kimg`` thousand images is over, then ``end``."""

    def shape(self, done: float) -> float:
        """Return 0 during the burn-in and 1 after it."""
        return float(done >= 1)


def apply_schedules(root: nn.Module, schedules: Mapping[str, Schedule], images: int) -> None:
    """Set every scheduled number below ``root`` to its value after ``images`` images.

    Args:
        root: Module that the paths start from.
        schedules: Schedules by path, such as ``"regularizers.r1.weight"``.
        images: Real images seen over all processes.

    Raises:
        InputError: A path names no number.
    """
    for path, schedule in schedules.items():
        owner, name = _find_number(root, path)
        current, value = getattr(owner, name), schedule.at(images)
        if isinstance(current, Tensor):
            current.fill_(value)
        else:  # a count stays a whole number
            setattr(owner, name, round(value) if isinstance(current, int) else value)


def _find_number(root: nn.Module, path: str) -> tuple[nn.Module, str]:
    where, _, name = path.rpartition(".")
    owner = root
    for key in filter(None, where.split(".")):
        children = dict(owner.named_children())
        if key not in children:
            raise InputError(
                f"schedules: {path!r} names no part of this GAN{nearest(key, children) or '.'} "
                f"Parts here: {', '.join(children) or 'none'}"
            )
        owner = children[key]
    numbers = {key for key, value in vars(owner).items() if type(value) in (int, float)}
    numbers = {key for key in numbers if key[0] != "_"} | set(dict(owner.named_buffers("", False)))
    if name not in numbers:
        raise InputError(
            f"schedules: {path!r} names no number{nearest(name, numbers) or '.'} "
            f"{type(owner).__name__} has: {', '.join(sorted(numbers)) or 'none'}"
        )
    return owner, name
