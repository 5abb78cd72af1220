"""The folder of a run, and whether anything may be left in it."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.loggers import MLFlowLogger


def run_folder(trainer: pl.Trainer) -> Path:
    """Return the folder of the run; to be called on all ranks, for they agree on rank zero's."""
    folder = Path(trainer.log_dir or trainer.default_root_dir)
    first = next(iter(trainer.loggers), None)
    if isinstance(first, MLFlowLogger) and first.save_dir:
        # Beside the checkpoints: MLflow takes every folder directly in its store for an experiment.
        folder = folder / str(first.name) / str(first.version)
        folder = trainer.strategy.broadcast(folder)
    return folder


def leaves_files(trainer: pl.Trainer) -> bool:
    """Whether a run may leave files behind, which a ``fast_dev_run`` does not."""
    return not getattr(trainer, "fast_dev_run", False)
