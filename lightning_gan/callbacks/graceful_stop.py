"""Ctrl-C and SIGTERM end training after the batch in hand, on all ranks after the same one."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import nullcontext
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed
from pytorch_lightning.trainer.connectors.signal_connector import _HandlersCompose
from pytorch_lightning.utilities import rank_zero_info

STOPPING = (signal.SIGINT, signal.SIGTERM)
# ``timeout`` and others that signal a process and its group ask once and are heard twice.
ONE_REQUEST_SECONDS = 1.0
FIRST = 128  # added, where the largest number wins, to those that end training


class GracefulStop(pl.Callback):
    """Let the first signal finish the batch and end training as ``max_steps`` would.

    Files are written as at any other end, ``last.ckpt`` and the summary among them. A second signal
    does not wait: SIGTERM ends its process, Ctrl-C interrupts it as ever.

    With several processes a signal to any of them ends all of them after the same batch: at the end
    of every batch the ranks tell each other, and read the answer at the end of the next. On SLURM,
    Lightning saves and requeues the job on SIGUSR1; that, too, waits for the end of such a batch,
    for inside a step the ranks would wait for each other for ever.

    Attributes:
        received: The signal that ended training, the same number on every rank, or None.

    Example:
        >>> import pytorch_lightning as pl
        >>> from lightning_gan.callbacks import GracefulStop
        >>> trainer = pl.Trainer(callbacks=[GracefulStop()], logger=False)
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._asked = 0
        self._asked_at = 0.0
        self._max_steps = -1
        self._usual: dict[int, Any] = {}
        self._exchange: _Exchange | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Watch for the signals."""
        self.received, self._asked, self._usual = None, 0, {}
        self._max_steps = trainer.max_steps
        self._exchange = _Exchange(pl_module.device) if trainer.world_size > 1 else None
        if threading.current_thread() is threading.main_thread():
            # Lightning gives back, when the run is over, the handlers that it found.
            for number in (*_requeueing(), *STOPPING):
                self._usual[number] = signal.signal(number, self._note)
            # Lightning's own asks the other ranks from inside the handler.
            self._usual[signal.SIGTERM] = signal.SIG_DFL

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any
    ) -> None:
        """End training, or let Lightning requeue the job, if a signal came."""
        number = self._exchange.next(self._asked) if self._exchange else self._asked
        if number in STOPPING:
            self.received = number
            trainer.fit_loop.epoch_loop.max_steps = trainer.global_step
            name = signal.Signals(number).name
            rank_zero_info(f"{name}: training ends after step {trainer.global_step}")
        elif number in self._usual:
            self._usual.pop(number)(number, None)  # once, though other ranks hear of it later

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Wait for the last exchange, and give the trainer its limit back."""
        if self._exchange is not None:
            self._exchange.finish()
        if self.received is not None:
            trainer.fit_loop.epoch_loop.max_steps = self._max_steps

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._asked not in STOPPING:
            self._asked, self._asked_at = number, now
        elif number in STOPPING and now - self._asked_at > ONE_REQUEST_SECONDS:
            signal.signal(number, self._usual[number])
            signal.raise_signal(number)


class _Exchange:
    """The signal that any rank has received, known to all ranks one batch later.

    Args:
        device: Where the process group reduces.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        cuda = device.type == "cuda"
        self._stream = torch.cuda.Stream(device) if cuda else None  # type: ignore[no-untyped-call]
        self._signals = torch.empty(0)
        self._work: torch.distributed.Work | None = None

    def next(self, number: int) -> int:
        """Return what came of the call before, and start to reduce this rank's signal, or 0."""
        agreed = self.finish()
        value = number + FIRST if number in STOPPING else number
        self._signals = torch.full((1,), value, dtype=torch.int32, device=self._device)
        self._work = torch.distributed.all_reduce(
            self._signals, torch.distributed.ReduceOp.MAX, async_op=True
        )
        return agreed

    def finish(self) -> int:
        """Return what came of the last call of :meth:`next`, once; 0 without one."""
        if self._work is None:
            return 0
        # A stream of its own waits for the reduction alone, not for what the batch has queued.
        with torch.cuda.stream(self._stream) if self._stream else nullcontext():
            self._work.wait()
            self._work = None
            return int(self._signals) % FIRST


def _requeueing() -> list[int]:
    """Return the signals that Lightning handles beside SIGTERM: on SLURM, the one to requeue."""
    handled = [
        n for n in signal.valid_signals() if isinstance(signal.getsignal(n), _HandlersCompose)
    ]
    return [number for number in handled if number != signal.SIGTERM]
