"""A schedule that goes down, or up, by steps."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_gan.errors import InputError
from lightning_gan.schedules.base import Schedule
from lightning_gan.types import finite


class Step(Schedule):
    """Multiplied by a factor every ``kimg`` thousand images.

    Values of one's own at numbers of images of one's own: ``piecewise``.

    Args:
        start: Value at first, any number.
        factor: What it is multiplied by at each step, any number; in [0, 1] without ``most``.
        kimg: Length of a step in thousands of images, above 0.
        most: Largest number of steps, at least 0; None: they never end.

    Raises:
        InputError: A number is not finite, ``kimg`` is not positive, ``most`` is negative, or the
            value grows without end.

    Example:
        >>> schedule = Step(start=0.8, factor=0.5, kimg=10, most=2)
        >>> [schedule.at(images) for images in (0, 9_999, 10_000, 20_000, 90_000)]
        [0.8, 0.8, 0.4, 0.2, 0.2]
    """

    def __init__(self, start: float, factor: float, kimg: float, most: int | None = None) -> None:
        super().__init__()
        if finite(kimg, "kimg") <= 0:
            raise InputError(f"kimg must be positive, got {kimg}")
        if most is not None and (type(most) is not int or most < 0):
            raise InputError(f"most must be a whole number from 0, or null, got {most!r}")
        self.start, self.factor = finite(start, "start"), finite(factor, "factor")
        if most is None and not 0 <= self.factor <= 1:
            raise InputError(
                f"factor must lie in [0, 1] where steps never end, got {factor}: give most"
            )
        self.kimg, self.most = float(kimg), most

    def at(self, images: int) -> float:
        """Return the value after ``images`` real images."""
        steps = int(images // (1000 * self.kimg))
        return self.start * self.factor ** (steps if self.most is None else min(steps, self.most))

    def turns(self) -> Sequence[float]:
        """Return where the first step is, and the last one if there is one."""
        return (self.kimg,) if self.most is None else (self.kimg, self.kimg * self.most)
