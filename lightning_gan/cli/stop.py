"""Ctrl-C and SIGTERM end a run after the batch in hand, with its checkpoint and its summary."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

import pytorch_lightning as pl

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class GracefulStop(pl.Callback):
    """Let the first signal finish the batch and end training as ``max_steps`` would.

    A second signal acts as usual. Several processes are left to Lightning: they would have to agree
    on the batch.

    Attributes:
        received: The signal that ended training, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._usual: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Watch for the signals."""
        if trainer.world_size == 1 and threading.current_thread() is threading.main_thread():
            self._usual = {number: signal.signal(number, self._note) for number in SIGNALS}

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any
    ) -> None:
        """End training if a signal came."""
        if self.received is not None:
            trainer.fit_loop.epoch_loop.max_steps = trainer.global_step

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop watching."""
        self._restore()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Stop watching."""
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._usual.items():
            signal.signal(number, handler)
        self._usual = {}
