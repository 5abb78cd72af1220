"""Files from predictions: a PNG for each image, an array for anything else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor

from lightning_gan.callbacks.pictures.shown_range import mapped, shown_bounds
from lightning_gan.callbacks.reading import read_as_told
from lightning_gan.callbacks.sink import (
    as_uint8,
    leaves_files,
    run_folder,
    shown_path,
    shown_window,
    write_png,
)
from lightning_gan.errors import InputError
from lightning_gan.game.conditions import class_entry, classes_of
from lightning_gan.metrics.features import SYMMETRIC
from lightning_gan.training.seams.unsaid import Unsaid
from lightning_gan.types import range_bounds


class PredictionWriter(BasePredictionWriter):
    """Write every predicted sample to a fresh folder ``predictions`` in the run's folder.

    An image of one or three channels becomes ``<index>[-class<y>].png``; anything else becomes one
    array ``batch-<index>.npy`` for each batch. Where ``sample_range`` is declared and another than
    [-1, 1], or images of the data are of more than 8 bits, a PNG is only for looking at: its range
    goes from black to white, that of a "free" one as in
    :class:`~lightning_gan.callbacks.pictures.base.Picture`, and the arrays are written beside it
    with the samples' own values, whose -1 and 1 are the data's black and white, which the PNG names
    in its text ``window``. The index counts samples (batches) from 0; where Lightning
    knows a sample's place in its data set, that is its index. With several processes the rank, with
    several data loaders the loader is part of the name. Where there are predictions already, the
    folder is ``predictions-1``, ``predictions-2``, ...
    """

    def __init__(self) -> None:
        super().__init__(write_interval="batch")
        self._folder = Path()
        self._samples = 0
        self._batches = 0
        # Not every loader knows the indices of its samples; we count then.
        self._unsaid = Unsaid("Couldn't infer the batch indices")

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Let warnings be as they were."""
        self._unsaid.end()

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Make a folder that was not there before, the same for all ranks."""
        self._unsaid.begin()
        parent = run_folder(trainer)
        fresh = None
        if trainer.is_global_zero and leaves_files(trainer):
            fresh = _make_fresh(parent, "predictions")
        self._folder = trainer.strategy.broadcast(fresh) or parent
        self._samples = self._batches = 0

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write the samples of one batch.

        Raises:
            InputError: The prediction is not a tensor with samples first.
        """
        if not isinstance(prediction, Tensor) or prediction.ndim == 0:
            raise InputError(
                "PredictionWriter expects predict_step to return a tensor (N, ...), "
                f"got {type(prediction).__name__}; write a BasePredictionWriter for it"
            )
        n, samples, batches = len(prediction), self._samples, self._batches
        self._samples, self._batches = samples + n, batches + 1
        if not leaves_files(trainer):
            return
        suffix = f"-rank{trainer.global_rank}" if trainer.world_size > 1 else ""
        if trainer.predict_loop.num_dataloaders > 1:
            suffix += f"-loader{dataloader_idx}"
        declared = getattr(pl_module, "sample_range", None)
        is_image = prediction.ndim == 4 and prediction.shape[1] in (1, 3)
        window = shown_window(trainer)
        other = declared is not None and range_bounds(declared) != SYMMETRIC
        if not is_image or other or window is not None:
            _write_array(prediction, self._folder / f"batch-{batches:06d}{suffix}.npy")
        if not is_image:
            return
        known = batch_indices or ()
        indices = known if len(known) == n else range(samples, samples + n)
        classes = _classes(pl_module, batch, n)
        names = [f"{index:06d}{suffix}{y}.png" for index, y in zip(indices, classes, strict=True)]
        seen = mapped(prediction.float(), shown_bounds(pl_module, prediction))
        for name, image in zip(names, as_uint8((seen + 1) / 2), strict=True):
            write_png(image, self._folder / name, window)

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say how many samples are where."""
        self._unsaid.end()
        count = torch.tensor(self._samples, device=pl_module.device)
        total = int(trainer.strategy.reduce(count, reduce_op="sum"))
        if trainer.is_global_zero and leaves_files(trainer):
            print(f"predictions: {total:,} in {shown_path(self._folder)}")


def _make_fresh(parent: Path, name: str) -> Path:
    """Make and return the first of ``name``, ``name-1``, ``name-2``, ... that does not exist."""
    parent.mkdir(parents=True, exist_ok=True)
    path, number = parent / name, 0
    while True:
        try:
            path.mkdir()
            return path
        except FileExistsError:
            number += 1
            path = parent / f"{name}-{number}"


def _classes(module: Any, batch: Any, n: int) -> list[str]:
    """Return the part of each name that tells the class: empty where the batch has no labels."""
    try:
        y = read_as_told(module, batch).y
    except InputError:  # predict_step may take what training does not
        y = None
    y = classes_of(y, class_entry(getattr(module, "generator", module)))
    if not isinstance(y, Tensor) or y.shape != (n,) or y.is_floating_point():
        return [""] * n
    return [f"-class{label}" for label in y.tolist()]


def _write_array(prediction: Tensor, path: Path) -> None:
    import numpy as np

    low = prediction.dtype == torch.bfloat16  # a type that NumPy does not have
    np.save(path, (prediction.float() if low else prediction).detach().cpu().numpy())
