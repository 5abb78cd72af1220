"""The generator alone, as files, while training goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from lightning_gan.callbacks.periodic import Periodic
from lightning_gan.callbacks.sink import leaves_files, run_folder
from lightning_gan.errors import InputError
from lightning_gan.export.folder import describe_generator, export_generator
from lightning_gan.game.gan import GAN


class GeneratorExport(Periodic):
    """Write the generator to ``generators/step-<step>/`` in the run's folder, now and at the end.

    :mod:`lightning_gan.export.folder` says what is written and how it is loaded.

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
        super().__init__(every_n_steps, every_n_rounds, every_n_epochs)
        self._folder = Path()

    def check(self, module: Any) -> None:
        """Refuse a module without a generator that can be exported."""
        if not isinstance(module, GAN):
            raise InputError(
                f"GeneratorExport expects a GANModule, got {type(module).__name__}; "
                "leave this callback out"
            )
        describe_generator(module)

    def start(self, trainer: pl.Trainer, module: Any) -> None:
        """Find the folder."""
        self._folder = run_folder(trainer) / "generators"

    def act(self, trainer: pl.Trainer, module: Any) -> None:
        """Write the generator of now."""
        if trainer.is_global_zero and leaves_files(trainer):
            export_generator(module, self._folder / f"step-{trainer.global_step:08d}")
