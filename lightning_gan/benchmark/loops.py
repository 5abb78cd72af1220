"""What both hand-written loops have in common; a step of each has its own file."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lightning_gan.benchmark.feeding import Batch
from lightning_gan.benchmark.imitation import d_steps
from lightning_gan.errors import InputError
from lightning_gan.game.optimization import make_optimizer
from lightning_gan.training.module import GANModule
from lightning_gan.types import Player, as_discriminator_output, as_generator_output


class HandLoop(ABC):
    """A training loop written by hand, over copies of a module's networks and weights.

    Args:
        gan: The module whose parts are copied; it passes :func:`imitation.check_imitable`.
        batches: Real images and labels, on the device and without end.
        device: Where to train.
        precision: The Trainer's precision, one of ``imitation.PRECISIONS``.
    """

    def __init__(
        self,
        gan: GANModule,
        batches: Iterator[Batch],
        device: torch.device,
        precision: str = "32-true",
    ) -> None:
        self.gan = copy.deepcopy(gan).to(device).train()
        self.dtype = torch.float64 if precision == "64-true" else torch.float32
        self.gan.to(self.dtype)
        for network in (self.gan.generator, self.gan.discriminator):
            network.to(memory_format=self.memory_format(network))
        self.batches = batches
        self.device = device
        self.precision = precision
        self.noise = torch.Generator(device).manual_seed(0)
        self.d_steps = d_steps(gan.alternation) or 1
        self.seen = 0  # batches
        self.images = 0
        self.optimizers: dict[Player, Optimizer] = {}
        self.lr_schedulers: dict[Player, LRScheduler] = {}
        for settings in (gan.generator_settings, gan.discriminator_settings):
            player, scheduler = settings.player, settings.make_lr_scheduler
            made = make_optimizer(player, self.network(player), (), settings.make_optimizer)
            assert made is not None  # checked
            self.optimizers[player] = self.tune(made)
            if scheduler is not None:
                self.lr_schedulers[player] = scheduler(self.optimizers[player])

    @abstractmethod
    def memory_format(self, network: nn.Module) -> torch.memory_format:
        """Return the layout in memory that a network's kernels are to have."""

    @abstractmethod
    def tune(self, optimizer: Optimizer) -> Optimizer:
        """Choose the implementation of an optimizer, which comes fused where torch has that."""

    def network(self, player: Player) -> nn.Module:
        """Return a player's network."""
        gan = self.gan
        return gan.generator if player is Player.GENERATOR else gan.discriminator

    @abstractmethod
    def step(self) -> None:
        """Train on one batch."""

    def run(self, steps: int) -> None:
        """Train on some batches."""
        for _ in range(steps):
            self.step()

    def next_batch(self) -> tuple[Tensor, Any]:
        """Return the next real images, shape (N, C, H, W), and their labels or None."""
        real, y = next(self.batches)
        self.seen += 1
        self.images += len(real)
        return real.to(self.dtype), y

    def latents(self, n: int) -> Tensor:
        """Draw latents, shape (n, Z)."""
        dim = self.gan.generator.latent_dim
        z = self.gan.prior.sample(n, dim, generator=self.noise, device=self.device)
        return z.to(self.dtype)

    def fakes(self, n: int, y: Any) -> Tensor:
        """Generate n samples, shape (n, C, H, W), with their condition."""
        return as_generator_output(self.gan.generator(self.latents(n), y)).samples

    def logits(self, x: Tensor, y: Any) -> Tensor:
        """Judge images (N, C, H, W); logits in float32 or wider, N first."""
        output = self.gan.discriminator(self.gan.augment(x), y)
        logits, *others = as_discriminator_output(output).heads
        if others:
            raise InputError(
                "benchmark compares with loops that know one head, and "
                f"{type(self.gan.discriminator).__name__} has {len(others) + 1}: measure with a "
                "discriminator that has one, such as DCGANDiscriminator"
            )
        return logits.to(self.dtype)

    def is_generators_turn(self) -> bool:
        """Whether the generator steps on this batch."""
        return self.seen % self.d_steps == 0

    def move(self, player: Player) -> None:
        """Let a player's optimizer and scheduler step."""
        self.optimizers[player].step()
        if player in self.lr_schedulers:
            self.lr_schedulers[player].step()

    def average(self, n: int) -> None:
        """Move the averaged generator, where there is one, after a batch of n images."""
        gan = self.gan
        if gan.ema is not None and gan.generator_ema is not None:
            gan.ema.update(gan.generator_ema, gan.generator, self.images, n)
