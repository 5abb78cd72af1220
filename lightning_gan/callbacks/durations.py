"""Durations in words, and how long a run takes."""

from __future__ import annotations

import time

import pytorch_lightning as pl

WARM_UP = 3  # batches that are slower than those after them
MEASURED_S = 5.0  # seconds from then on


class SpeedMeter:
    """Tells once how long a run goes on, a few seconds after its third batch.

    Args:
        step: Batches before.
    """

    def __init__(self, step: int) -> None:
        self._step = step
        self._since: float | None = None
        self._told = False

    def left(self, trainer: pl.Trainer) -> tuple[float, float] | None:
        """Return seconds to go and seconds of a batch; None when nothing is to be told.

        Args:
            trainer: At the end of a batch.
        """
        if self._told:
            return None
        done, now = trainer.global_step - self._step, time.perf_counter()
        if self._since is None:
            if done >= WARM_UP:
                self._step, self._since = trainer.global_step, now
            return None
        if now - self._since < MEASURED_S:
            return None
        self._told = True
        each = (now - self._since) / done
        total = planned_steps(trainer)
        if total is None or total <= trainer.global_step:
            return None
        return (total - trainer.global_step) * each, each


def planned_steps(trainer: pl.Trainer) -> int | None:
    """Return the batches after which training ends; None where only time or a signal ends it."""
    limits = []
    if trainer.max_steps >= 0:
        limits.append(trainer.max_steps)
    batches = trainer.num_training_batches
    epochs = trainer.max_epochs
    if epochs is not None and epochs >= 0 and batches != float("inf"):
        limits.append(int(epochs * batches))
    return min(limits, default=None)


def duration(seconds: float) -> str:
    """Return a duration as a person says it.

    Example:
        >>> duration(7.34), duration(3671.0)
        ('7.3 s', '1:01:11')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def roughly(seconds: float) -> str:
    """Return a duration that is only known roughly.

    Example:
        >>> roughly(8), roughly(1490), roughly(9000)
        ('about 10 seconds', 'about 25 minutes', 'about 2.5 hours')
    """
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5))} seconds"
    minutes = round(seconds / 60)
    return f"about {minutes} minutes" if minutes < 100 else f"about {seconds / 3600:.2g} hours"
