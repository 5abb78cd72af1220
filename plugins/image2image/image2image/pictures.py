"""Pictures of what a two-way generator makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.utils import make_grid

from image2image.networks import domains
from lightning_gan.callbacks import SampleGrid

NAMES = ("A", "to B", "back to A", "B", "to A", "back to B")
HEAD, SIZE = 28, 16  # pixels: height of the names' line, of their letters
SMALLEST = 96  # pixels of a cell, which small images are enlarged to
PADDING = 2


class TranslationGrid(SampleGrid):
    """Draw held-out images of both domains, what they become, and the way back.

    A row shows an image of A, its translation to B and that back to A, then an image of B, its
    translation to A and that back to B. Grids go to ``samples/grid-<step>.png``.

    Args:
        every_n_steps: Batches between grids; None: only the first and the last.
        rows: Rows of the grid.
        columns: Of no use; there are always six.
        seed: Of no use to generators without latents.
        every_n_rounds: Rounds between grids, in place of steps.
        every_n_epochs: Epochs between grids, in place of steps.
    """

    def pictures(self, trainer: pl.Trainer, module: Any) -> Iterator[tuple[int | None, Tensor]]:
        """Make the grid."""
        held = module.conditions.held
        if held is None:
            return
        given = held.first(self.rows).y
        made = self.sample(module, self.rows, given)
        if made is None:
            return
        back = self.sample(module, self.rows, domains(made.to(module.device)))
        if back is None:
            return
        fake, cycle = domains(made.cpu()), domains(back.cpu())
        columns = [given["a"], fake["b"], cycle["a"], given["b"], fake["a"], cycle["b"]]
        yield None, headed(torch.stack([shown(x) for x in columns], dim=1).flatten(0, 1), NAMES)


def shown(images: Tensor) -> Tensor:
    """Return images in [-1, 1] with three channels in [0, 1], small ones enlarged."""
    colors = images.float()[:, : 3 if images.shape[1] >= 3 else 1].expand(-1, 3, -1, -1)
    factor = max(1, SMALLEST // max(images.shape[2:]))
    return interpolate(colors, scale_factor=factor, mode="nearest").add(1).div(2).clamp(0, 1)


def headed(images: Tensor, names: tuple[str, ...]) -> Tensor:
    """Return images as rows of a picture (3, H, W) in [0, 1], with a name above each column."""
    picture = make_grid(images, nrow=len(names), padding=PADDING, pad_value=0.5)
    head = Image.new("L", (picture.shape[2], HEAD), "white")
    font, draw = ImageFont.load_default(SIZE), ImageDraw.Draw(head)
    cell = picture.shape[2] / len(names)
    for place, name in enumerate(names):
        draw.text((cell * (place + 0.5), HEAD / 2), name, fill="black", font=font, anchor="mm")
    pixels = torch.from_numpy(np.array(head)).float().div(255)
    return torch.cat([pixels.expand(3, -1, -1), picture], dim=1)
