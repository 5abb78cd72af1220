"""The same updates as fast as a hand-written eager loop makes them."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_gan.benchmark.loops import HandLoop
from lightning_gan.types import Player

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


class TunedLoop(HandLoop):
    """Train without waste: what a user of plain PyTorch could write with some care.

    The discriminator is frozen in the generator's step, optimizers are fused, nothing is read by
    the host, convolutional networks are channels_last, and mixed precision is the Trainer's.
    """

    def memory_format(self, network: nn.Module) -> torch.memory_format:
        """Return channels_last for a network with convolutions."""
        convolutional = any(isinstance(layer, CONVOLUTIONS) for layer in network.modules())
        return torch.channels_last if convolutional else torch.contiguous_format

    @cached_property
    def format(self) -> torch.memory_format:
        """Layout of the images that the discriminator looks at."""
        return self.memory_format(self.gan.discriminator)

    @cached_property
    def frozen(self) -> list[nn.Parameter]:
        """What is trained of the discriminator, and frozen in the generator's step."""
        trained = self.gan.discriminator.parameters()
        return [parameter for parameter in trained if parameter.requires_grad]

    def tune(self, optimizer: Optimizer) -> Optimizer:
        """Leave an optimizer fused."""
        return optimizer

    def step(self) -> None:
        """Train on one batch."""
        gan = self.gan
        real, y = self.next_batch()
        real = real.contiguous(memory_format=self.format)
        n, both = len(real), self.is_generators_turn()
        shared = both and gan.share_fakes

        with self.autocast():
            with torch.set_grad_enabled(shared):
                fake = self.fakes(n, y)
            losses = gan.loss.discriminator(self.logits(real, y), self.logits(fake.detach(), y))
        self.update(Player.DISCRIMINATOR, losses.mean())

        if both:
            for parameter in self.frozen:
                parameter.requires_grad_(False)
            with self.autocast():
                if not shared:
                    fake = self.fakes(n, y)
                losses = gan.loss.generator(self.logits(fake, y))
            self.update(Player.GENERATOR, losses.mean())
            for parameter in self.frozen:
                parameter.requires_grad_(True)
        self.average(n)

    def update(self, player: Player, loss: Tensor) -> None:
        """Let a player take one step down its loss."""
        self.optimizers[player].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.move(player)

    def autocast(self) -> torch.autocast:
        """Return the context of mixed precision, without effect in the other precisions."""
        mixed = self.precision == "bf16-mixed"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=mixed)
