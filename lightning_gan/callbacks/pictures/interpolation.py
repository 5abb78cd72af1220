"""Pictures of the way from one latent to another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_gan.callbacks.periodic import check_positive
from lightning_gan.callbacks.pictures.base import Picture
from lightning_gan.callbacks.pictures.given import check_takes_latents, conditions_of, draw_latents
from lightning_gan.callbacks.pictures.grid import grid
from lightning_gan.errors import InputError


class Interpolation(Picture):
    """Draw rows of samples on the way from one latent to another, the same in every picture.

    The way is spherical (White 2016, "Sampling Generative Networks"): under a normal
    prior its points are as long as typical latents, where those of a straight line are shorter.
    Under a uniform prior it is the same arc, whose points may lie outside the prior's cube. All
    samples of a row have the same class, row r the class r modulo the number of classes, or the
    same condition of a held-out sample.

    Pictures go to ``samples/interpolation-<step>.png``.

    Args:
        rows: Pairs of latents.
        columns: Samples in a row, both ends included.
        seed: Seed of the latents.
        every_n_steps: Batches between pictures; None: only the first and the last.
        every_n_rounds: Rounds between pictures, in place of steps.
        every_n_epochs: Epochs between pictures, in place of steps.

    Raises:
        InputError: A number is below 1, both rounds and epochs are given, or the module has no
            latents or cannot generate from given ones.
    """

    def __init__(
        self,
        rows: int = 8,
        columns: int = 10,
        seed: int = 0,
        every_n_steps: int | None = 500,
        every_n_rounds: int | None = None,
        every_n_epochs: int | None = None,
    ) -> None:
        super().__init__("interpolation", seed, every_n_steps, every_n_rounds, every_n_epochs)
        check_positive("Interpolation", rows=rows, columns=columns)
        self.rows = rows
        self.columns = columns

    def check(self, module: Any) -> None:
        """Refuse a module without latents."""
        check_takes_latents("Interpolation", module)
        if module.generator.latent_dim < 1:
            raise InputError(
                "Interpolation expects a generator with latents, got latent_dim=0; leave this "
                "callback out"
            )

    def pictures(self, trainer: pl.Trainer, module: Any) -> Iterator[tuple[int | None, Tensor]]:
        """Make the rows."""
        starts, ends = draw_latents(module, 2 * self.rows, self.seed).chunk(2)
        z = slerp(starts, ends, torch.linspace(0, 1, self.columns)).flatten(0, 1)
        rows = torch.arange(self.rows).repeat_interleave(self.columns)
        labels = conditions_of(module, rows)
        samples = self.sample(module, len(z), labels, z)
        if samples is not None:
            yield None, grid(samples, self.columns)


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    r"""Interpolate spherically between vectors (White 2016).

    .. math:: \frac{\sin((1 - t) \Omega)}{\sin \Omega} a + \frac{\sin(t \Omega)}{\sin \Omega} b

    with the angle Omega between a and b; a straight line where they are parallel and there is no
    arc, or no one arc.

    Args:
        a: Starts, shape (N, Z).
        b: Ends, shape (N, Z).
        t: Places on the way, from 0 at the start to 1 at the end, shape (T,).

    Returns:
        Vectors, shape (N, T, Z).

    Example:
        >>> x, y = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
        >>> slerp(x, y, torch.tensor([0.0, 0.5, 1.0])).norm(dim=2)
        tensor([[2.0000, 2.0000, 2.0000]])
    """
    # In double precision: in single, the angle between parallel vectors is off by 3e-4.
    start, end, t = a.double().unsqueeze(1), b.double().unsqueeze(1), t.double().view(1, -1, 1)
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=2).clamp(-1, 1)
    angle = cosine.acos().unsqueeze(2)
    arc = angle.sin() > 1e-6
    sine = angle.sin().where(arc, 1.0)
    from_start = torch.where(arc, ((1 - t) * angle).sin() / sine, 1 - t)
    from_end = torch.where(arc, (t * angle).sin() / sine, t)
    return (from_start * start + from_end * end).to(a.dtype)
