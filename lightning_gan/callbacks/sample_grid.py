"""Pictures of what the generator makes of the same latents as training goes on."""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor
from torchvision.utils import make_grid

from lightning_gan.callbacks.cadence import is_due
from lightning_gan.callbacks.sink import write_image
from lightning_gan.errors import InputError

MAX_CLASSES = 20  # columns beyond this are too many to look at
MIN_WIDTH = 300  # pixels; below it an 8x8 digit is not readable


class SampleGrid(pl.Callback):
    """Draw a grid of samples from the same latents: before training, every n steps, at the end.

    Grids go to ``samples/grid-<step>.png`` in the run's folder and, as ``samples/grid``, to
    TensorBoard and Weights & Biases where these run. A conditional generator gets one column for
    each class, 0 to K-1 from the left (the first 20 if there are more). Of samples with two
    channels the first is shown, of more than three the first three. Small samples are enlarged by
    whole factors. Where samples are not images (C, H, W), nothing is drawn.

    Args:
        every_n_steps: Batches between grids; None: only the first and the last.
        rows: Rows of the grid.
        columns: Columns of an unconditional generator's grid.
        seed: Seed of the latents, the same for every grid.

    Raises:
        InputError: A number is below 1, or the module cannot sample.
    """

    def __init__(
        self, every_n_steps: int | None = 500, rows: int = 8, columns: int = 8, seed: int = 0
    ) -> None:
        numbers = {"every_n_steps": every_n_steps, "rows": rows, "columns": columns}
        for name, number in numbers.items():
            if number is not None and number < 1:
                raise InputError(f"SampleGrid: {name} must be at least 1, got {number}")
        self.every_n_steps = every_n_steps
        self.rows = rows
        self.columns = columns
        self.seed = seed
        self._drawn_at = 0
        self._can_draw = True

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Check that the module can sample."""
        if stage == "fit" and not callable(getattr(pl_module, "sample", None)):
            raise InputError(
                "SampleGrid expects a module with sample(n, labels=None, seed=None), "
                f"got {type(pl_module).__name__}; use GANModule or leave this callback out"
            )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the grid from which training starts."""
        self._can_draw = True
        self._draw(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Draw a grid where one is due."""
        if is_due(trainer.global_step, self._drawn_at, self.every_n_steps):
            self._draw(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the last grid, unless this step has one."""
        if trainer.global_step != self._drawn_at:
            self._draw(trainer, pl_module)

    def _draw(self, trainer: pl.Trainer, module: Any) -> None:
        self._drawn_at = trainer.global_step
        if not self._can_draw:
            return
        # On every rank: a generator that is sharded over them needs them all.
        generator = getattr(module, "generator", None)
        classes = min(getattr(generator, "num_classes", None) or 0, MAX_CLASSES)
        columns = classes or self.columns
        labels = torch.arange(classes, device=module.device).repeat(self.rows) if classes else None
        with torch.no_grad():
            samples = module.sample(self.rows * columns, labels=labels, seed=self.seed)
        self._can_draw = samples.ndim == 4
        if self._can_draw:
            write_image(trainer, "grid", grid(samples, columns), trainer.global_step)
        else:
            shape = tuple(samples.shape[1:])
            rank_zero_info(f"SampleGrid draws nothing: samples of shape {shape} are not images")


def grid(samples: Tensor, columns: int) -> Tensor:
    """Arrange samples (N, C, H, W) in [-1, 1], row by row; return a picture (3, H', W') in [0, 1].

    Example:
        >>> grid(torch.zeros(4, 1, 8, 8), columns=2).shape
        torch.Size([3, 310, 310])
    """
    channels, width = samples.shape[1], samples.shape[3]
    images = samples.float()[:, : 3 if channels >= 3 else 1].add(1).div(2).clamp(0, 1)
    factor = math.ceil(MIN_WIDTH / (columns * width))
    images = images.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
    picture: Tensor = make_grid(images, nrow=columns, padding=2, pad_value=0.5)
    return picture
