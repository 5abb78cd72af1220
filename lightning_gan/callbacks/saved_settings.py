"""The configuration in the folder of its run."""

from __future__ import annotations

from collections.abc import Iterable

from pytorch_lightning import Callback, LightningModule, Trainer

from lightning_gan.callbacks.sink import leaves_files, run_folder
from lightning_gan.errors import InputError
from lightning_gan.files.claims import write_first_free


class SavedSettings(Callback):
    """Write the configuration into the run's folder before anything happens.

    Args:
        text: The file's content.
        names: Names for the file; the first that is free is taken.
    """

    def __init__(self, text: str, names: Iterable[str]) -> None:
        self.text = text
        self.is_written = False
        self.names = names

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the file on rank 0.

        Raises:
            InputError: Another run has written it.
        """
        folder = run_folder(trainer)  # asks all ranks
        if self.is_written or not (trainer.is_global_zero and leaves_files(trainer)):
            return
        try:
            write_first_free(folder, self.names, self.text)
        except FileExistsError as error:
            raise InputError(
                f"{folder} holds another run already; choose another folder"
            ) from error
        self.is_written = True
