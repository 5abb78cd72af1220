"""The generator alone, as files, while training goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from lightning_gan.callbacks.cadence import Cadence
from lightning_gan.callbacks.sink import leaves_files, run_folder
from lightning_gan.errors import InputError
from lightning_gan.export import describe, export_generator
from lightning_gan.game.gan import GAN


class GeneratorExport(pl.Callback):
    """Write the generator to ``generators/step-<step>/`` in the run's folder, now and at the end.

    :mod:`lightning_gan.export` says what is written and how it is loaded.

    Args:
        every_n_epochs: Epochs between exports.
        every_n_steps: Batches between exports. None of the three: only the end is written.
        every_n_rounds: Rounds between exports, in place of steps.

    Raises:
        InputError: A number is below 1, both rounds and epochs are given, or the module is no
            GANModule.
    """

    def __init__(
        self,
        every_n_epochs: int | None = None,
        every_n_steps: int | None = None,
        every_n_rounds: int | None = None,
    ) -> None:
        self.cadence = Cadence("GeneratorExport", every_n_steps, every_n_rounds, every_n_epochs)
        self._folder = Path()
        self._written_at = 0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Check that there is a generator that can be exported."""
        if stage != "fit":
            return
        if not isinstance(pl_module, GAN):
            raise InputError(
                f"GeneratorExport expects a GANModule, got {type(pl_module).__name__}; "
                "leave this callback out"
            )
        describe(pl_module)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find the folder; count from where training starts."""
        self._folder = run_folder(trainer) / "generators"
        self._written_at = trainer.global_step
        self.cadence.start(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Write where it is due."""
        if self.cadence.tick(trainer, pl_module):
            self._write(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write what training ends with, unless this step has been written."""
        if trainer.global_step != self._written_at:
            self._write(trainer, pl_module)

    def _write(self, trainer: pl.Trainer, module: Any) -> None:
        self._written_at = trainer.global_step
        if trainer.is_global_zero and leaves_files(trainer):
            export_generator(module, self._folder / f"step-{trainer.global_step:08d}")
