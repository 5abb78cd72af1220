"""A limit in rounds, for alternations whose rounds take any number of batches."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from lightning_gan.errors import InputError
from lightning_gan.game.gan import GAN
from lightning_gan.types import Player


class RoundLimit(pl.Callback):
    """Stop training when both players have had their turn ``max_rounds`` times.

    A round is a turn of the discriminator that a turn of the generator followed. It counts from
    the generator's first step (``progress/rounds`` in the log), and training stops when that turn
    is over. Trainer's ``max_steps``, which counts batches, stays the upper bound.

    Args:
        max_rounds: Rounds since the start of training, resumed runs included.

    Raises:
        InputError: ``max_rounds`` is below 1, or the module is no GANModule.
    """

    ends_early = True

    def __init__(self, max_rounds: int) -> None:
        if max_rounds < 1:
            raise InputError(f"max_rounds must be at least 1, got {max_rounds}")
        self.max_rounds = max_rounds

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Check that there are rounds."""
        if stage == "fit" and not isinstance(pl_module, GAN):
            raise InputError(
                f"RoundLimit expects a GANModule, which counts rounds, got "
                f"{type(pl_module).__name__}; leave this callback out and set trainer.max_steps"
            )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Train no further where a resumed run has had its rounds."""
        self._stop_when_over(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Ask the trainer to stop once the rounds are over."""
        self._stop_when_over(trainer, pl_module)

    def _stop_when_over(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, GAN)
        progress = pl_module.progress
        if progress.rounds >= self.max_rounds:
            following = pl_module.alternation.phases(progress)
            ends = following[:1] == (Player.DISCRIMINATOR,)
            trainer.should_stop = trainer.should_stop or ends
