"""Which checkpoints of a run are kept."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

from lightning_gan.callbacks.sink import leaves_files


class RunCheckpoint(ModelCheckpoint):
    """Keep the newest periodic checkpoint, and ``last.ckpt`` of the very last step.

    Lightning's own callback leaves ``last.ckpt`` at the last periodic checkpoint.

    Args:
        every_n_train_steps: Batches between checkpoints.
        save_top_k: How many to keep: the best by ``monitor``, or 1 or all (-1) without it.
        monitor: Logged key by which checkpoints are ranked, for example ``val/fid``.
        mode: Whether the smallest ("min") or the largest ("max") value is the best.
        filename: Name of a periodic checkpoint, with ``{step}`` and ``{epoch}``.
    """

    def __init__(
        self,
        every_n_train_steps: int = 1000,
        save_top_k: int = 1,
        monitor: str | None = None,
        mode: str = "min",
        filename: str = "step_{step:07d}",
    ) -> None:
        super().__init__(
            every_n_train_steps=every_n_train_steps,
            save_top_k=save_top_k,
            monitor=monitor,
            mode=mode,
            filename=filename,
            save_last=True,
            auto_insert_metric_name=False,
        )
        self._ended_at = -1

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any
    ) -> None:
        """Write a checkpoint where one is due, and ``last.ckpt`` after the very last batch.

        After that batch Lightning counts the epoch as finished, wherever in it training ends.
        """
        super().on_train_batch_end(trainer, pl_module, *batch)
        step = trainer.global_step
        enough = step >= (trainer.min_steps or 0)  # Lightning goes on below it
        stops = trainer.should_stop and enough and not trainer.min_epochs
        if stops or step == trainer.max_steps:
            self._save_very_last(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write ``last.ckpt`` where training ended for another reason, such as ``max_epochs``."""
        if self._ended_at != trainer.global_step:
            self._save_very_last(trainer)

    def _save_very_last(self, trainer: pl.Trainer) -> None:
        self._ended_at = trainer.global_step
        if leaves_files(trainer):
            self.last_model_path = self.format_checkpoint_name({}, self.CHECKPOINT_NAME_LAST)
            trainer.save_checkpoint(self.last_model_path, weights_only=False)
