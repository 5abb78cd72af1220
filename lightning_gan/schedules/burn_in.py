"""A schedule that waits, and then jumps."""

from __future__ import annotations

from lightning_gan.schedules.base import Ramp


class BurnIn(Ramp):
    """``start`` until the burn-in of ``kimg`` thousand images is over, then ``end``."""

    def shape(self, done: float) -> float:
        """Return 0 during the burn-in and 1 after it."""
        return float(done >= 1)
