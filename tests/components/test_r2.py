"""R2 against gradients known by hand; what it shares with R1 is tested there."""

import torch
from torch import nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.regularizers.r2 import R2Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player


class Quadratic(Discriminator):
    """D(x) = 3 x_1^2 - 4 x_2^2, whose gradient is (6 x_1, -8 x_2)."""

    def forward(self, x, y=None):
        return x.square() @ torch.tensor([3.0, -4.0])


def test_half_the_squared_gradient_at_the_fakes():
    step = AdversarialStep(
        Player.DISCRIMINATOR,
        real=torch.randn(2, 2),
        fake=torch.tensor([[1.0, 0.0], [0.5, 2.0]]),
        generator=nn.Identity(),
        discriminator=Quadratic(),
        differentiates=R2Regularizer.differentiates,
    )
    term = R2Regularizer(weight=5.0).discriminator(step)
    torch.testing.assert_close(term, torch.tensor([18.0, 132.5]))
