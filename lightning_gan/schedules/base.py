"""The contract of schedules: scalars as functions of the number of images seen.

``GANModule(schedules={"regularizers.r1.weight": Cosine(10.0, 1.0, kimg=100)})`` sets any numeric
attribute of the module or its parts before every batch. One clock serves them all: real images
seen over all processes, in thousands (kimg).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from lightning_gan.components.spec import Component
from lightning_gan.errors import InputError
from lightning_gan.types import finite


class Schedule(Component, ABC):
    """A scalar as a function of images seen."""

    @abstractmethod
    def at(self, images: int) -> float:
        """Return the value after ``images`` real images."""

    def turns(self) -> Sequence[float]:
        """Return where the value turns, in kimg: between two of them it only grows or only falls.

        The ranges of numbers are checked there before training, and at some other places.
        """
        return ()


class Ramp(Schedule):
    """From one value to another over a span of training; constant before and after.

    Args:
        start: Value up to ``begin_kimg``, any number.
        end: Value from ``begin_kimg + kimg`` on, any number.
        kimg: Length of the change, in thousands of images, above 0.
        begin_kimg: Where the change begins, in thousands of images, at least 0.

    Raises:
        InputError: A number is not finite, ``kimg`` is not positive or ``begin_kimg`` is negative.
    """

    def __init__(self, start: float, end: float, kimg: float, begin_kimg: float = 0.0) -> None:
        super().__init__()
        if finite(kimg, "kimg") <= 0 or finite(begin_kimg, "begin_kimg") < 0:
            raise InputError(
                f"kimg must be positive and begin_kimg 0 or more, got {kimg} and {begin_kimg}"
            )
        self.start, self.end = finite(start, "start"), finite(end, "end")
        self.kimg, self.begin_kimg = kimg, begin_kimg

    def at(self, images: int) -> float:
        """Return the value after ``images`` real images."""
        done = (images / 1000 - self.begin_kimg) / self.kimg
        return self.start + (self.end - self.start) * self.shape(min(max(done, 0.0), 1.0))

    def turns(self) -> Sequence[float]:
        """Return begin and end."""
        return (self.begin_kimg, self.begin_kimg + self.kimg)

    @abstractmethod
    def shape(self, done: float) -> float:
        """Return the share of the change made when a share ``done`` of the span has passed."""
