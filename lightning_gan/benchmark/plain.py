"""The loop that most people write: PyTorch's DCGAN example over a module's parts."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Optimizer

from lightning_gan.benchmark.loops import HandLoop
from lightning_gan.types import Player


class PlainLoop(HandLoop):
    """Train as PyTorch's DCGAN tutorial does (https://pytorch.org/tutorials, N. Inkawhich).

    Real images and fakes pass through the discriminator separately, the generator's step uses the
    same fakes and computes the discriminator's gradients as well, the optimizers are torch's
    default implementations, networks are contiguous, and both losses are read by the host at every
    step. Always in full precision: ``precision`` only tells float64 from float32.
    """

    def memory_format(self, network: nn.Module) -> torch.memory_format:
        """Return torch's default, whatever the module's networks have."""
        return torch.contiguous_format

    def tune(self, optimizer: Optimizer) -> Optimizer:
        """Return an optimizer to the implementation that its constructor chose."""
        for group in optimizer.param_groups:
            if "fused" in group:
                group["fused"] = optimizer.defaults["fused"]
        return optimizer

    def step(self) -> None:
        """Train on one batch."""
        gan = self.gan
        real, y = self.next_batch()
        n = len(real)

        # D: raise the logits of real images, lower those of fakes.
        fake = self.fakes(n, y)
        self.optimizers[Player.DISCRIMINATOR].zero_grad()
        real_logits = self.logits(real, y)
        fake_logits = self.logits(fake.detach(), y)
        loss = gan.loss.discriminator(real_logits, fake_logits).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        self.move(Player.DISCRIMINATOR)
        self.discriminator_loss = loss.item()

        # G: raise the logits of fakes.
        if self.is_generators_turn():
            if not gan.share_fakes:
                fake = self.fakes(n, y)
            self.optimizers[Player.GENERATOR].zero_grad()
            loss = gan.loss.generator(self.logits(fake, y)).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            self.move(Player.GENERATOR)
            self.generator_loss = loss.item()
        self.average(n)
