"""The whole of a two-dimensional latent space in one picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_gan.callbacks.periodic import Periodic, check_positive
from lightning_gan.callbacks.pictures.base import Picture, Sample
from lightning_gan.callbacks.pictures.given import (
    check_takes_latents,
    conditions_of,
    count_classes,
)
from lightning_gan.callbacks.pictures.grid import grid
from lightning_gan.errors import InputError


class LatentManifold(Picture):
    """Draw what a generator makes of the points of its two-dimensional latent space.

    The points form a square grid in probability: on both axes they are the inverse normal CDF of
    ``size`` equidistant probabilities from 0.05 to 0.95 (Kingma and Welling 2014, appendix A), so
    that a standard normal prior puts equal mass between neighbors; with another prior they are the
    same points. The first latent grows to the right, the second downwards.

    An unconditional generator gives ``samples/manifold-<step>.png``, a conditional one
    ``samples/manifold-class<k>-<step>.png`` for each class (the first 20 if there are more). Where
    conditions are no classes, all points have that of one held-out sample.

    Args:
        size: Points on each axis.
        every_n_steps: Batches between pictures; None: only the first and the last.
        every_n_rounds: Rounds between pictures, in place of steps.
        every_n_epochs: Epochs between pictures, in place of steps.

    Raises:
        InputError: A number is below 1, both rounds and epochs are given, or the module has not two
            latents or cannot generate from given ones.
    """

    def __init__(
        self,
        size: int = 15,
        every_n_steps: int | None = 500,
        every_n_rounds: int | None = None,
        every_n_epochs: int | None = None,
    ) -> None:
        super().__init__("manifold", 0, every_n_steps, every_n_rounds, every_n_epochs)
        check_positive("LatentManifold", size=size)
        self.size = size

    def check(self, module: Any) -> None:
        """Refuse a module without two latents."""
        check_plane(self, module)

    def pictures(self, trainer: pl.Trainer, module: Any) -> Iterator[tuple[int | None, Tensor]]:
        """Make the manifold of each class."""
        yield from manifolds(module, self.size, self.sample)


def check_plane(owner: Periodic, module: Any) -> None:
    """Refuse a module whose latent space is not a plane.

    Args:
        owner: Who draws it.
        module: The module.

    Raises:
        InputError: There are not two latents, or the module cannot generate from given ones.
    """
    name = type(owner).__name__
    check_takes_latents(name, module)
    if module.generator.latent_dim != 2:
        raise InputError(
            f"{name} expects a generator with two latents, got {module.generator.latent_dim}; "
            f"set {owner.module_key}generator.latent_dim=2 or leave the manifold out"
        )


def manifolds(module: Any, size: int, sample: Sample) -> Iterator[tuple[int | None, Tensor]]:
    """Make the manifold of each class, or the one of an unconditional module.

    Args:
        module: What to sample from, with two latents.
        size: Points on each axis.
        sample: A picture's ``sample``.

    Yields:
        The class, or None, and its manifold, (3, H, W) in [0, 1]; nothing where samples are not
        images.
    """
    z = plane(size)
    for shown in range(count_classes(module)) or (None,):
        labels = conditions_of(module, torch.full((len(z),), shown or 0))
        samples = sample(module, len(z), labels, z)
        if samples is None:
            return
        yield shown, grid(samples, size)


def plane(size: int) -> Tensor:
    """Return the points of the grid row by row, shape (size^2, 2).

    Example:
        >>> plane(2).mul(100).round().tolist()
        [[-164.0, -164.0], [164.0, -164.0], [-164.0, 164.0], [164.0, 164.0]]
    """
    axis = torch.special.ndtri(torch.linspace(0.05, 0.95, size))
    second, first = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([first.flatten(), second.flatten()], dim=1)
