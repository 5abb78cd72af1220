"""What all pictures of samples share: when they are drawn, from what, and where they go."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor

from lightning_gan.callbacks.periodic import Periodic
from lightning_gan.callbacks.pictures.shown_range import mapped, shown_bounds
from lightning_gan.callbacks.sink import shown_window, write_image
from lightning_gan.errors import InputError
from lightning_gan.game.conditions import NoConditionError
from lightning_gan.metrics.features import Bounds

# (module, n, labels, z) -> images (N, C, H, W) in [-1, 1], whatever the samples' own range; None
# where samples are not images, or cannot be drawn yet.
Sample = Callable[..., Tensor | None]


class Picture(Periodic):
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
        seed: Seed of the latents, the same for every picture.
        *periods: When they are drawn: the arguments of Periodic, in their order.
    """

    def __init__(self, name: str, seed: int, *periods: int | None) -> None:
        super().__init__(*periods)
        self.name = name
        self.seed = seed
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

    def start(self, trainer: pl.Trainer, module: Any) -> None:
        """Draw that from which training starts."""
        self._can_draw, self._told = True, False
        window = shown_window(trainer)
        if window is not None:
            rank_zero_info(
                f"{type(self).__name__} draws the data's values {window} from black to white"
            )
        self.act(trainer, module)

    def act(self, trainer: pl.Trainer, module: Any) -> None:
        """Draw the pictures of now."""
        # On every rank: a generator that is sharded over them needs them all.
        if self._can_draw:
            for shown, picture in self.pictures(trainer, module):
                self.write(trainer, shown, picture)
