"""What a conditioned generator was given, what it made of it, and what was right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from lightning_gan.callbacks.pictures.base import Sample
from lightning_gan.callbacks.pictures.given import held_conditions
from lightning_gan.callbacks.pictures.grid import PADDING, SEPARATOR, grid
from lightning_gan.callbacks.pictures.shown_range import mapped, shown_bounds
from lightning_gan.metrics.features import Bounds, pixel_bounds
from lightning_gan.types import tensors_in

HEAD_HEIGHT = 28  # pixels
HEAD_SIZE = 18


def side_by_side(module: Any, rows: int, columns: int, sample: Sample) -> Tensor | None:
    """Make a grid of triples: the source of each held-out sample, the fake, and the real sample.

    There is a source where the condition is an image, or the first in it that has the samples'
    proportions; it is scaled to their size by nearest neighbor. Where its values lie outside of
    the samples' range, or are no floats, its own least and largest are black and white.

    Args:
        module: A GAN that holds samples with conditions that are no classes.
        rows: Rows of the grid.
        columns: Images in a row, about: whole triples, one at least.
        sample: A picture's ``sample``.

    Returns:
        The grid, (3, H, W) in [0, 1], each column with its name above; None where samples are not
        images.
    """
    held = held_conditions(module)
    assert held is not None
    source = _image_in(held.y, held.real)
    names = ["generated", "real"] if source is None else ["source", "generated", "real"]
    groups = max(1, columns // len(names))
    shown = held.first(rows * groups)
    fake = sample(module, rows * groups, shown.y)
    if fake is None:
        return None
    bounds = shown_bounds(module, shown.real)
    images = [fake.cpu(), mapped(shown.real, bounds)]
    if source is not None:
        index = torch.arange(rows * groups) % len(source)
        images.insert(0, mapped(source[index], _source_bounds(source, bounds)))
    cells = torch.stack([_colored(x, fake.shape[-2:]) for x in images], dim=1)
    parts = [
        _headed(grid(part.flatten(0, 1), len(names)), names) for part in torch.split(cells, rows)
    ]
    line = parts[0].new_ones(3, parts[0].shape[1], SEPARATOR)
    return torch.cat([piece for part in parts for piece in (part, line)][:-1], dim=2)


def _image_in(y: Any, real: Tensor) -> Tensor | None:
    """Return the first image of a condition that has the proportions of the real ones, or None."""
    if real.ndim != 4:
        return None
    height, width = real.shape[-2:]
    images = (x for x in tensors_in(y) if x.ndim == 4)
    return next((x for x in images if x.shape[2] * width == x.shape[3] * height), None)


def _source_bounds(source: Tensor, of_samples: Bounds) -> Bounds:
    low, high = pixel_bounds("free", source)
    alike = source.is_floating_point() and of_samples[0] <= low and high <= of_samples[1]
    return of_samples if alike else (low, high)


def _colored(images: Tensor, size: Sequence[int]) -> Tensor:
    """Return images of three channels and one size, float32."""
    shown = images.float()[:, : 3 if images.shape[1] >= 3 else 1].expand(-1, 3, -1, -1)
    return interpolate(shown, size=tuple(size), mode="nearest")


def _headed(picture: Tensor, names: Sequence[str]) -> Tensor:
    """Put a name above each column of a grid."""
    width = picture.shape[2]
    cell = (width - PADDING) / len(names)
    head = Image.new("L", (width, HEAD_HEIGHT), "white")
    font, draw = ImageFont.load_default(HEAD_SIZE), ImageDraw.Draw(head)
    for place, name in enumerate(names):
        middle = (PADDING + cell * (place + 0.5), HEAD_HEIGHT / 2)
        draw.text(middle, name, fill="black", font=font, anchor="mm")
    pixels = torch.from_numpy(np.array(head)).float().div(255)
    return torch.cat([pixels.expand(3, -1, -1), picture], dim=1)
