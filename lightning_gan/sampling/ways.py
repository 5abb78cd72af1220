"""Ways through the latent space, and the whole of it where it is a plane."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from lightning_gan.callbacks.pictures.grid import SEPARATOR
from lightning_gan.callbacks.pictures.interpolation import slerp
from lightning_gan.callbacks.pictures.latent_manifold import plane
from lightning_gan.errors import InputError
from lightning_gan.game.preserving import preserved_state
from lightning_gan.game.sampling import draw_inputs, has_truncation, truncated
from lightning_gan.sampling.images import as_shown, cells, check_images


def ways(
    loaded: Any,
    rows: int,
    columns: int,
    *,
    labels: Tensor | None = None,
    seed: int = 0,
    truncation: float | None = None,
    batch_size: int = 256,
) -> Tensor:
    """Generate samples on spherical ways between drawn latents.

    Args:
        loaded: A generator with its prior.
        rows: Ways.
        columns: Samples on each, both ends included.
        labels: A class for each way; None: way r has the class r modulo their number.
        seed: Of the ends.
        truncation: psi; see ``sample``.
        batch_size: Samples of one pass.

    Returns:
        Images in [-1, 1], shape (rows, columns, C, H, W).

    Raises:
        InputError: There are no latents, or samples are no images.
    """
    if loaded.latent_dim < 1:
        raise InputError("a generator without latents has nothing to interpolate between")
    starts, ends = latents(loaded, 2 * rows, seed, truncation).chunk(2)
    z = slerp(starts, ends, torch.linspace(0, 1, columns)).flatten(0, 1)
    y = None
    if loaded.num_classes is not None:
        of_rows = torch.arange(rows) % loaded.num_classes if labels is None else labels
        y = of_rows.repeat_interleave(columns)
    samples = loaded.sample(len(z), y, seed, z, truncation=truncation, batch_size=batch_size)
    check_images(samples, "a .npz with the command sample")
    images = as_shown(loaded, samples)
    return images.reshape(rows, columns, *images.shape[1:])


def latents(loaded: Any, n: int, seed: int, truncation: float | None = None) -> Tensor:
    """Draw the latents that ``sample`` draws with this seed, shape (n, Z), on the CPU.

    Args:
        loaded: A generator with its prior.
        n: Number of latents; fewer are the beginning of more.
        seed: Their seed.
        truncation: psi, by which they are drawn towards the center of their prior; a generator
            with a truncation of its own gets it in ``sample``, and its latents stay.
    """
    with preserved_state(loaded.prior):
        source = torch.Generator().manual_seed(seed)
        z, _ = draw_inputs(loaded.generator, loaded.prior, loaded.conditions, n, source)
    return z if has_truncation(loaded.generator) else truncated(z, loaded.prior, truncation)


def manifold(
    loaded: Any, size: int, *, labels: Tensor | None = None, batch_size: int = 256
) -> Tensor:
    """Draw what a generator makes of the points of its plane of latents.

    The points are those of :class:`~lightning_gan.callbacks.LatentManifold`.

    Args:
        loaded: A generator with two latents.
        size: Points on each axis.
        labels: Which classes, each a square of its own; None: all.
        batch_size: Samples of one pass.

    Returns:
        The picture, (3, H, W) in [0, 1].

    Raises:
        InputError: There are not two latents, or samples are no images.
    """
    if loaded.latent_dim != 2:
        raise InputError(
            f"manifold expects a generator with two latents, got {loaded.latent_dim}; interpolate "
            "shows ways between any"
        )
    z = plane(size)
    shown_classes: list[int | None] = [None]
    if loaded.num_classes is not None:
        shown_classes = list(range(loaded.num_classes)) if labels is None else labels.tolist()
    pictures = []
    for number in shown_classes:
        samples = loaded.sample(len(z), number, 0, z, batch_size=batch_size)
        check_images(samples, "a .npz with the command sample")
        pictures.append(cells(as_shown(loaded, samples), size))
    return _in_squares(pictures)


def _in_squares(pictures: list[Tensor]) -> Tensor:
    """Put pictures of one size into about a square, white between them."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    height, width = pictures[0].shape[1:]
    size = (rows * (height + SEPARATOR) - SEPARATOR, columns * (width + SEPARATOR) - SEPARATOR)
    whole = torch.ones(3, *size)
    for place, picture in enumerate(pictures):
        top = place // columns * (height + SEPARATOR)
        left = place % columns * (width + SEPARATOR)
        whole[:, top : top + height, left : left + width] = picture
    return whole
