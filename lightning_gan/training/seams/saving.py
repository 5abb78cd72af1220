"""Writing checkpoints so that a file is whole or not there, whenever the process ends."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins import TorchCheckpointIO

from lightning_gan.errors import InputError
from lightning_gan.files.whole import remove_abandoned, write_whole


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint beside its place, sync it to the disk, and rename it.

    The checkpoint that is replaced stays until the rename, which happens at once or not at all
    (POSIX, ``rename``). Lightning's own writes to the system's temporary folder and moves the file,
    which from one file system to another is a copy. Paths with a protocol are left to Lightning.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Save a checkpoint as a whole.

        Args:
            checkpoint: What ``torch.save`` takes.
            path: Where to; folders that are missing are made.
            storage_options: Lightning's own class refuses any.

        Raises:
            InputError: The disk is full, or the folder cannot be written to; what was there before
                is still there.
        """
        if storage_options is not None or "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        content = io.BytesIO()
        torch.save(checkpoint, content)
        try:
            write_whole(Path(path), content.getbuffer(), sync=True)
        except OSError as error:
            raise InputError(
                f"cannot save {path}: {error.strerror or error}; {way_on(Path(path).parent)}"
            ) from error
        remove_abandoned(Path(path).parent)


def install(trainer: Trainer) -> None:
    """Let a trainer write its checkpoints whole, unless it was given its own way of writing."""
    if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
        trainer.strategy.checkpoint_io = AtomicCheckpointIO()


def saves_every(checkpoint: ModelCheckpoint) -> int:
    """Return after how many steps a ModelCheckpoint saves; 0 where it does not go by steps."""
    return checkpoint._every_n_train_steps


def way_on(folder: Path, files: str = "*.ckpt") -> str:
    """Return how training goes on after a failure: from the newest checkpoint of a folder.

    Args:
        folder: Where to look.
        files: Which; ``**/*.ckpt`` looks into the folders below as well.
    """
    times: dict[Path, float] = {}
    for file in folder.glob(files):
        with suppress(OSError):  # another run may have removed it by now
            times[file] = file.stat().st_mtime
    if not times:
        return f"nothing has been saved below {folder} yet"
    return f"training can go on from {max(times, key=times.__getitem__)} (ckpt_path=last)"
