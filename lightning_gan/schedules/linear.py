"""A schedule along a straight line."""

from __future__ import annotations

from lightning_gan.schedules.base import Ramp


class Linear(Ramp):
    """A straight line from ``start`` to ``end``."""

    def shape(self, done: float) -> float:
        """Return ``done``."""
        return done
