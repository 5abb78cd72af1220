"""What all pictures of samples share: when they are drawn, from what, and where they go."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor
from torchvision.utils import make_grid

from lightning_gan.callbacks.cadence import Cadence
from lightning_gan.callbacks.shown_range import mapped, shown_bounds
from lightning_gan.callbacks.sink import write_image
from lightning_gan.errors import InputError
from lightning_gan.game.conditions import Held, NoConditionError
from lightning_gan.game.gan import GAN
from lightning_gan.game.sampling import draw_inputs
from lightning_gan.metrics.features import Bounds
from lightning_gan.types import rows

MAX_CLASSES = 20  # more are too many to look at
MIN_WIDTH = 300  # pixels; below it an 8x8 digit is not readable
PADDING = 2  # pixels around each sample
SEPARATOR = 8  # pixels of white between generated and real

# (module, n, labels, z) -> images (N, C, H, W) in [-1, 1], whatever the samples' own range; None
# where samples are not images, or cannot be drawn yet.
Sample = Callable[..., Tensor | None]


class Picture(pl.Callback, ABC):
    """Draws pictures of samples: before training, at every period, and at the end.

    A subclass defines :meth:`pictures`, and :meth:`check` where it asks more of the module. Where
    samples are not images (C, H, W), nothing is drawn; nor is it before the first validation where
    the generator asks for conditions and the data have none to show before.

    The declared ``sample_range`` is what goes from black to white, [-1, 1] where none is declared.
    Of a range that is "free" it is what lies between the least and the largest value of the
    held-out real samples or, where none are held, between the 1st and the 99th percentile of the
    samples themselves.

    Args:
        name: What the pictures show, a word fit for a file's name.
        cadence: When they are drawn.
        seed: Seed of the latents, the same for every picture.
    """

    def __init__(self, name: str, cadence: Cadence, seed: int) -> None:
        self.name = name
        self.cadence = cadence
        self.seed = seed
        self._drawn_at = 0
        self._can_draw = True
        self._told = False

    @abstractmethod
    def pictures(self, trainer: pl.Trainer, module: Any) -> Iterator[tuple[int | None, Tensor]]:
        """Make the pictures of now, with :meth:`sample`; every rank calls this.

        Yields:
            The class shown, or None where a picture is of no one class, and the picture,
            (C, H, W) with C = 1 or 3: uint8, or floating point in [0, 1].
        """

    def check(self, module: Any) -> None:
        """Refuse a module of which these pictures cannot be made, before training."""
        if not callable(getattr(module, "sample", None)):
            raise InputError(
                f"{type(self).__name__} expects a module with sample(n, labels=None, seed=None), "
                f"got {type(module).__name__}; use GANModule or leave this callback out"
            )

    def sample(
        self, module: Any, n: int, labels: Any = None, z: Tensor | None = None
    ) -> Tensor | None:
        """Draw n images (N, C, H, W), their range mapped to [-1, 1]; None, said once, without."""
        given = {} if z is None else {"z": z}  # a module that is not ours may not take latents
        try:
            with torch.no_grad():
                samples: Tensor = module.sample(n, labels=labels, seed=self.seed, **given)
        except NoConditionError as error:
            self._say(f"nothing before the first validation: {error}")
            return None
        if samples.ndim == 4:
            return mapped(samples, self.bounds(module, samples))
        self._say(f"nothing: samples of shape {tuple(samples.shape[1:])} are not images")
        self._can_draw = False
        return None

    def bounds(self, module: Any, samples: Tensor) -> Bounds:
        """Return which values of samples are black and white."""
        return shown_bounds(module, samples)

    def _say(self, what: str) -> None:
        if not self._told:
            rank_zero_info(f"{type(self).__name__} draws {what}")
        self._told = True

    def write(self, trainer: pl.Trainer, shown: int | None, picture: Tensor) -> None:
        """Write one picture; ``shown`` is its class, or None."""
        name = self.name if shown is None else f"{self.name}-class{shown}"
        write_image(trainer, name, picture, trainer.global_step)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Check that the module can be drawn."""
        if stage == "fit":
            self.check(pl_module)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw that from which training starts."""
        self._can_draw, self._told = True, False
        self.cadence.start(trainer, pl_module)
        self._draw(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Draw where it is due."""
        if self.cadence.tick(trainer, pl_module):
            self._draw(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw what training ends with, unless this step has its pictures."""
        if trainer.global_step != self._drawn_at:
            self._draw(trainer, pl_module)

    def _draw(self, trainer: pl.Trainer, module: Any) -> None:
        self._drawn_at = trainer.global_step
        # On every rank: a generator that is sharded over them needs them all.
        if self._can_draw:
            for shown, picture in self.pictures(trainer, module):
                self.write(trainer, shown, picture)


def count_classes(module: Any) -> int:
    """Return the number of classes to show, MAX_CLASSES at most; 0 where a class is not all."""
    if isinstance(module, GAN):
        return min(module.conditions.classes or 0, MAX_CLASSES)
    return min(getattr(getattr(module, "generator", None), "num_classes", None) or 0, MAX_CLASSES)


def held_conditions(module: Any) -> Held | None:
    """Return held-out samples whose conditions are not classes; None where there are none."""
    held = module.conditions.held if isinstance(module, GAN) else None
    return held if held is not None and module.conditions.hands_on(held.y) else None


def conditions_of(module: Any, groups: Tensor) -> Any:
    """Return a condition for each sample, the same one for equal numbers; None where none is asked.

    Args:
        module: What is going to be sampled from.
        groups: Whole numbers from 0, shape (n,).
    """
    classes, held = count_classes(module), held_conditions(module)
    if classes:
        return (groups % classes).to(module.device)
    if held is None:
        return None
    index = groups % len(held.real)
    return rows(held.y, index)


def check_takes_latents(owner: str, module: Any) -> None:
    """Refuse a module that cannot generate from given latents.

    Raises:
        InputError: ``sample`` takes no latents, or nothing says what latents there are.
    """
    sample, generator = getattr(module, "sample", None), getattr(module, "generator", None)
    takes_z = callable(sample) and "z" in inspect.signature(sample).parameters
    if not takes_z or not hasattr(generator, "latent_dim") or not hasattr(module, "prior"):
        raise InputError(
            f"{owner} expects a module with sample(n, labels=None, seed=None, z=None), a prior and "
            f"generator.latent_dim, got {type(module).__name__}; use GANModule or leave this "
            f"callback out"
        )


def draw_latents(module: Any, n: int, seed: int) -> Tensor:
    """Draw latents of the module's prior, shape (n, Z), on the CPU; the same for the same seed."""
    source = torch.Generator().manual_seed(seed)
    return draw_inputs(module.generator, module.prior, module.conditions, n, source)[0]


def grid(samples: Tensor, columns: int) -> Tensor:
    """Arrange samples (N, C, H, W) in [-1, 1], row by row; return a picture (3, H', W') in [0, 1].

    Of samples with two channels the first is shown, of more than three the first three. Small
    samples are enlarged by a whole factor.

    Example:
        >>> grid(torch.zeros(4, 1, 8, 8), columns=2).shape
        torch.Size([3, 310, 310])
    """
    channels, width = samples.shape[1], samples.shape[3]
    images = samples.float()[:, : 3 if channels >= 3 else 1].add(1).div(2).clamp(0, 1)
    factor = math.ceil(MIN_WIDTH / (columns * width))
    images = images.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
    picture: Tensor = make_grid(images, nrow=columns, padding=PADDING, pad_value=0.5)
    return picture


def separated(picture: Tensor, dim: int, cells: int, after: int) -> Tensor:
    """Put a white line between two cells of a grid of two or more samples.

    Args:
        picture: What :func:`grid` returned, shape (3, H, W).
        dim: 1 for a line across, 2 for one from top to bottom.
        cells: Rows (columns) of the grid.
        after: How many of them come before the line.

    Example:
        >>> separated(grid(torch.zeros(4, 1, 8, 8), columns=2), dim=1, cells=2, after=1).shape
        torch.Size([3, 318, 310])
    """
    place = (picture.shape[dim] - PADDING) // cells * after + PADDING // 2
    before, behind = picture.tensor_split([place], dim)
    size = list(picture.shape)
    size[dim] = SEPARATOR
    return torch.cat([before, picture.new_ones(size), behind], dim)
