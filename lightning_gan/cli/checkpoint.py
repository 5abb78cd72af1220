"""Checkpoints of a run of the command: which are kept, and which file a run starts from."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

from lightning_gan.callbacks.sink import leaves_files
from lightning_gan.checkpoint import read_checkpoint
from lightning_gan.errors import InputError, nearest

LISTED = 1000


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

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write ``last.ckpt`` as training leaves the module."""
        if not leaves_files(trainer):
            return
        path = str(Path(self.dirpath or ".") / f"{self.CHECKPOINT_NAME_LAST}{self.FILE_EXTENSION}")
        self.last_model_path = path
        trainer.save_checkpoint(path, weights_only=False)


def find(command: str, path: Any, root: str, max_steps: int = -1) -> str | None:
    """Return the checkpoint that a command starts from, after a look at the file.

    Args:
        command: ``fit`` needs none, the others do.
        path: ``ckpt_path``: a file, None, or "last" for the newest ``last.ckpt`` below ``root``.
        root: Folder of the runs, ``trainer.default_root_dir``.
        max_steps: Where training is to end; -1 for no limit.

    Raises:
        InputError: There is no such file, it is no checkpoint of a GANModule, or it has reached
            ``max_steps`` already.
    """
    if path is None and command == "fit":
        return None
    if path is None:
        raise InputError(
            f"ckpt_path is missing; {command} needs a trained model: "
            f"ckpt_path=.../checkpoints/last.ckpt, or ckpt_path=last for the newest below {root}"
        )
    if not isinstance(path, str):
        raise InputError(f"ckpt_path: got {path!r}; expected the path of a .ckpt file, or last")
    found = _last(command, root) if path == "last" else path
    if found is not None and "://" not in found and found != "hpc":  # a cluster's file
        reached = _check_file(found, root)
        if command == "fit" and -1 < max_steps <= reached:
            raise InputError(
                f"ckpt_path: {found} is at step {reached} already; set trainer.max_steps, which is "
                f"{max_steps}, above it"
            )
    return found


def _check_file(path: str, root: str) -> int:
    """Return the step of a checkpoint."""
    if not Path(path).is_file():
        near = [*Path(path).parent.glob("*.ckpt"), *_checkpoints(Path(root))]
        raise InputError(f"ckpt_path: no file at {path}{nearest(path, map(str, near))}")
    try:
        return int(read_checkpoint(path, map_location="meta").get("global_step", 0))
    except InputError as error:
        raise InputError(f"ckpt_path: {error}") from error


def _last(command: str, root: str) -> str | None:
    found = [file for file in _checkpoints(Path(root)) if file.name == "last.ckpt"]
    if found:
        return str(max(found, key=lambda file: file.stat().st_mtime_ns))
    if command != "fit":
        raise InputError(f"ckpt_path: got 'last', but there is no last.ckpt below {root}")
    print(f"ckpt_path=last: there is no last.ckpt below {root} yet; starting from the beginning")
    return None


def _checkpoints(folder: Path) -> list[Path]:
    return list(islice(folder.rglob("*.ckpt"), LISTED))
