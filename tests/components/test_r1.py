"""R1 against gradients known by hand."""

import pytest
import torch
from torch import nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player


class Linear(Discriminator):
    """D(x) = w . x + 7, whose gradient is w."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([3.0, -4.0]))

    def forward(self, x, y=None):
        return x @ self.w + 7


class Quadratic(Linear):
    """D(x) = sum_i w_i x_i^2, whose gradient is 2 w x."""

    def forward(self, x, y=None):
        return x.square() @ self.w


class TwoPatches(Linear):
    """Logits w . x and 2 w . x, whose sum has the gradient 3 w."""

    def forward(self, x, y=None):
        return torch.stack([x @ self.w, 2 * x @ self.w], dim=1)


class Halving(nn.Module):
    """An augmentation x / 2."""

    def forward(self, x):
        return x / 2


def step(discriminator, real, augment=None):
    return AdversarialStep(
        Player.DISCRIMINATOR,
        real=real.clone().requires_grad_(),
        y=None,
        fake=real,
        fake_y=None,
        z=torch.zeros(len(real), 0),
        generator=nn.Identity(),
        discriminator=discriminator,
        augment=augment or nn.Identity(),
        draw_latents=lambda n: torch.zeros(n, 0),
    )


@pytest.mark.parametrize("n", [1, 2, 64])
def test_linear_critic_gives_half_its_squared_norm_whatever_the_batch(n):
    term = R1Regularizer().discriminator(step(Linear(), torch.randn(n, 2)))
    torch.testing.assert_close(term, torch.full((n,), 12.5))


def test_quadratic_critic_by_hand():
    real = torch.tensor([[1.0, 0.0], [0.5, 2.0]])
    term = R1Regularizer().discriminator(step(Quadratic(), real))
    # Half of (2*3*1)^2, and half of (2*3*.5)^2 + (2*-4*2)^2.
    torch.testing.assert_close(term, torch.tensor([18.0, 132.5]))


def test_its_gradient_trains_the_critic():
    critic = Linear()
    R1Regularizer().discriminator(step(critic, torch.randn(5, 2))).mean().backward()
    torch.testing.assert_close(critic.w.grad, torch.tensor([3.0, -4.0]))  # of half |w|^2


def test_logits_of_a_sample_are_summed():
    term = R1Regularizer().discriminator(step(TwoPatches(), torch.randn(3, 2)))
    torch.testing.assert_close(term, torch.full((3,), 9 * 12.5))


def test_it_acts_on_raw_samples_through_the_augmentation():
    term = R1Regularizer().discriminator(step(Linear(), torch.randn(3, 2), Halving()))
    torch.testing.assert_close(term, torch.full((3,), 12.5 / 4))


def test_weight_and_interval_are_the_modules_business():
    term = R1Regularizer(weight=10.0, interval=16).discriminator(step(Linear(), torch.randn(1, 2)))
    torch.testing.assert_close(term, torch.tensor([12.5]))


def test_when_it_is_due():
    lazy = R1Regularizer(interval=3)
    due = [lazy.is_due(Player.DISCRIMINATOR, update) for update in range(7)]
    assert due == [True, False, False, True, False, False, True]
    assert not any(lazy.is_due(Player.GENERATOR, update) for update in range(7))
    assert not R1Regularizer(weight=0.0).is_due(Player.DISCRIMINATOR, 0)


def test_interval_below_one():
    with pytest.raises(InputError, match="interval must be a whole number from 1, got 0"):
        R1Regularizer(interval=0)
