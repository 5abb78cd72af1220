"""One batch is one count of ``trainer.global_step``, whatever number of optimizers step.

Lightning's manual optimization counts the steps of its own optimizer wrappers. The optimizers of a
game step without these; the count's hooks run exactly once at the end of a batch. Loggers go by a
count of their own, which a run resumed at an epoch's end has one too high; here it is that of the
batches, too. This is the one file that touches these private names (``_on_before_step`` and
``_on_after_step`` of the manual-optimization loop, and ``_batches_that_stepped``);
``tests/training/test_clock.py`` guards them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytorch_lightning import Trainer


@contextmanager
def one_count(trainer: Trainer) -> Iterator[int]:
    """Count the enclosed batch as one step, and yield the number that it makes."""
    epoch_loop = trainer.fit_loop.epoch_loop
    before = epoch_loop.global_step
    epoch_loop._batches_that_stepped = before
    yield before + 1
    loop = epoch_loop.manual_optimization
    loop._on_before_step()
    loop._on_after_step()
