"""Pictures of what the generator makes of the same latents as training goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_gan.callbacks.periodic import check_positive
from lightning_gan.callbacks.pictures.base import Picture, Sample
from lightning_gan.callbacks.pictures.given import count_classes, held_conditions
from lightning_gan.callbacks.pictures.grid import grid
from lightning_gan.callbacks.pictures.side_by_side import side_by_side


class SampleGrid(Picture):
    """Draw a grid of samples from the same latents: before training, every n steps, at the end.

    Grids go to ``samples/grid-<step>.png`` in the run's folder and, as ``samples/grid``, to
    TensorBoard, Weights & Biases and MLflow where these run. A conditional generator gets one
    column for each class, 0 to K-1 from the left (the first 20 if there are more). A generator with
    another condition (an image, a text, attributes) gets those of held-out samples: source, fake
    and real stand side by side, the source where the condition is or has an image of the samples'
    proportions. Conditions are there from the start where a data module has a ``val_dataloader``,
    else after the first validation.

    Of samples with two channels the first is shown, of more than three the first three. Small
    samples are enlarged by whole factors. What is black and white: see
    :class:`~lightning_gan.callbacks.pictures.base.Picture`. Where samples are not images (C, H, W),
    nothing is drawn.

    Args:
        every_n_steps: Batches between grids; None: only the first and the last.
        rows: Rows of the grid.
        columns: Columns of an unconditional generator's grid, and about as many of one with
            conditions that are no classes.
        seed: Seed of the latents, the same for every grid.
        every_n_rounds: Rounds between grids, in place of steps.
        every_n_epochs: Epochs between grids, in place of steps.

    Raises:
        InputError: A number is below 1, both rounds and epochs are given, or the module cannot
            sample.
    """

    def __init__(
        self,
        every_n_steps: int | None = 500,
        rows: int = 8,
        columns: int = 8,
        seed: int = 0,
        every_n_rounds: int | None = None,
        every_n_epochs: int | None = None,
    ) -> None:
        super().__init__("grid", seed, every_n_steps, every_n_rounds, every_n_epochs)
        check_positive("SampleGrid", rows=rows, columns=columns)
        self.rows = rows
        self.columns = columns

    def pictures(self, trainer: pl.Trainer, module: Any) -> Iterator[tuple[int | None, Tensor]]:
        """Make the grid."""
        yield from sample_grid(module, self.rows, self.columns, self.sample)


def sample_grid(
    module: Any, rows: int, columns: int, sample: Sample
) -> Iterator[tuple[None, Tensor]]:
    """Make a grid of samples, a column for each class, or triples for other conditions.

    Args:
        module: What to sample from.
        rows: Rows of the grid.
        columns: Columns for an unconditional module.
        sample: A picture's ``sample``.

    Yields:
        The grid, (3, H, W) in [0, 1]; nothing where samples are not images.
    """
    if held_conditions(module) is not None:
        picture = side_by_side(module, rows, columns, sample)
        if picture is not None:
            yield None, picture
        return
    classes = count_classes(module)
    columns = classes or columns
    labels = torch.arange(classes, device=module.device).repeat(rows) if classes else None
    samples = sample(module, rows * columns, labels)
    if samples is not None:
        yield None, grid(samples, columns)
