"""A limit in rounds, for alternations whose rounds take any number of batches."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from lightning_gan.errors import InputError


class RoundLimit(pl.Callback):
    """Stop training when both players have had their turn ``max_rounds`` times.

    A round is a turn of the discriminator that a turn of the generator followed, and counts from
    the generator's first step (``progress/rounds`` in the log). Trainer's ``max_steps``, which
    counts batches, stays the upper bound.

    Args:
        max_rounds: Rounds since the start of training, resumed runs included.

    Raises:
        InputError: ``max_rounds`` is below 1.
    """

    def __init__(self, max_rounds: int) -> None:
        if max_rounds < 1:
            raise InputError(f"max_rounds must be at least 1, got {max_rounds}")
        self.max_rounds = max_rounds

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Ask the trainer to stop once the rounds are over."""
        if pl_module.progress.rounds >= self.max_rounds:  # type: ignore[union-attr, operator]
            trainer.should_stop = True
