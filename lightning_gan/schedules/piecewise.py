"""A schedule through given points."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal

from lightning_gan.errors import InputError
from lightning_gan.schedules.base import Schedule

INTERPOLATIONS = ("constant", "linear")


class Piecewise(Schedule):
    """Values at given numbers of images, one after the other: pretraining, then the game.

    The first value holds before the first knot as well, and the last one from the last knot on.

    Args:
        knots: Pairs ``[kimg, value]``: from ``kimg`` thousand images on, the value. One pair or
            more, ``kimg`` at least 0 and growing, values any number.
        interpolation: What happens between two knots. "constant": the value of the earlier one
            holds until the next. "linear": a straight line.

    Raises:
        InputError: A knot is no pair of finite numbers, ``kimg`` is negative or does not grow, or
            there is no such interpolation.

    Example:
        lightning-gan fit model.schedules.generator_weight=piecewise \
            model.schedules.generator_weight.knots=[[0,0],[9,1]]

        >>> schedule = Piecewise([[0, 0.0], [20, 1.0], [30, 0.1]])
        >>> [schedule.at(images) for images in (0, 19_999, 20_000, 99_000)]
        [0.0, 0.0, 1.0, 0.1]
    """

    def __init__(
        self,
        knots: list[list[float]],
        interpolation: Literal["constant", "linear"] = "constant",
    ) -> None:
        super().__init__()
        if interpolation not in INTERPOLATIONS:
            raise InputError(f"interpolation must be 'constant' or 'linear', got {interpolation!r}")
        if not isinstance(knots, (list, tuple)) or not knots or not all(map(_is_knot, knots)):
            raise InputError(
                "knots must be a list of pairs of finite numbers [kimg, value], such as "
                f"[[0, 0.0], [20, 1.0]], got {knots!r}"
            )
        kimgs = [float(kimg) for kimg, _ in knots]
        if kimgs[0] < 0 or any(b <= a for a, b in itertools.pairwise(kimgs)):
            raise InputError(f"kimg of the knots must be 0 or more and grow, got {kimgs}")
        self.kimgs = kimgs
        self.values = [float(value) for _, value in knots]
        self.interpolation = interpolation

    def at(self, images: int) -> float:
        """Return the value after ``images`` real images."""
        kimg = images / 1000
        after = bisect_right(self.kimgs, kimg)
        if after in (0, len(self.kimgs)) or self.interpolation == "constant":
            return self.values[max(after - 1, 0)]
        (begin, end), (start, goal) = (x[after - 1 : after + 1] for x in (self.kimgs, self.values))
        return start + (goal - start) * (kimg - begin) / (end - begin)

    def turns(self) -> Sequence[float]:
        """Return where the knots lie."""
        return self.kimgs


def _is_knot(knot: object) -> bool:
    return (
        isinstance(knot, (list, tuple))
        and len(knot) == 2
        and all(isinstance(x, (int, float)) and math.isfinite(x) for x in knot)
    )
