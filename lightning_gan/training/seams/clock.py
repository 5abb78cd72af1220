"""One batch is one count of ``trainer.global_step``, whatever number of optimizers step.

Lightning's manual optimization counts every optimizer step. Its hooks are muted during a
training_step and run exactly once at the end of it. Loggers go by a count of their own, which a
run resumed at an epoch's end has one too high; here it is that of the batches, too. This is the one
file that touches these private names (``LightningOptimizer._on_before_step``, ``_on_after_step``,
those of the manual-optimization loop, and ``_batches_that_stepped``);
``tests/module/test_clock.py`` guards them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pytorch_lightning import Trainer
from pytorch_lightning.core.optimizer import LightningOptimizer


@contextmanager
def one_count(trainer: Trainer, optimizers: Iterable[LightningOptimizer]) -> Iterator[None]:
    """Count the enclosed optimizer steps, any number of them, as one."""
    trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step
    for optimizer in optimizers:
        optimizer._on_before_step = _do_nothing
        optimizer._on_after_step = _do_nothing
    yield
    loop = trainer.fit_loop.epoch_loop.manual_optimization
    loop._on_before_step()
    loop._on_after_step()


def _do_nothing() -> None:
    pass
