"""A schedule along half a cosine."""

from __future__ import annotations

import math

from lightning_gan.schedules.base import Ramp


class Cosine(Ramp):
    """Half a cosine from ``start`` to ``end`` (Loshchilov & Hutter 2017, equation 5)."""

    def shape(self, done: float) -> float:
        """Return (1 - cos(pi done)) / 2."""
        return 0.5 * (1 - math.cos(math.pi * done))
