"""The gradient penalty of WGAN-GP against gradients known by hand."""

import pytest
import torch
import toys
from torch import nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.losses.wasserstein import WassersteinLoss
from lightning_gan.regularizers.wgan_gp import WGANGPRegularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player


class Linear(Discriminator):
    """D(x) = w . x + 7, whose gradient is w."""

    def __init__(self, w=(3.0, -4.0)):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w))

    def forward(self, x, y=None):
        return x @ self.w + 7


class HalfSquare(Linear):
    """D(x) = |x|^2 / 2, whose gradient is x; it keeps the points and labels it saw."""

    def forward(self, x, y=None):
        self.x, self.y = x.detach(), y
        return 0.5 * x.square().sum(1) + 0 * self.w.sum()


class TwoPatches(Linear):
    """Logits w . x and 2 w . x, whose sum has the gradient 3 w."""

    def forward(self, x, y=None):
        return torch.stack([x @ self.w, 2 * x @ self.w], dim=1)


class Halving(nn.Module):
    """An augmentation x / 2."""

    def forward(self, x):
        return x / 2


def step(discriminator, real, fake, y=None, fake_y=None, augment=None):
    return AdversarialStep(
        Player.DISCRIMINATOR,
        real=real.clone().requires_grad_(),
        y=y,
        fake=fake.clone().requires_grad_(),
        fake_y=fake_y,
        z=torch.zeros(len(real), 0),
        generator=nn.Identity(),
        discriminator=discriminator,
        augment=augment or nn.Identity(),
        draw_latents=lambda n: torch.zeros(n, 0),
    )


def term(*arguments, **options):
    return WGANGPRegularizer().discriminator(step(*arguments, **options))


@pytest.mark.parametrize("n", [1, 2, 64])
def test_linear_critic(n):
    """The gradient's norm is 5 wherever it is taken."""
    found = term(Linear(), torch.randn(n, 2), torch.randn(n, 2))
    torch.testing.assert_close(found, torch.full((n,), 16.0))


def test_a_critic_of_slope_one_costs_nothing():
    found = term(Linear((0.6, -0.8)), torch.randn(3, 2), torch.randn(3, 2))
    torch.testing.assert_close(found, torch.zeros(3))


@pytest.mark.parametrize(("w", "found"), [((3.0, -4.0), 16.0), ((0.3, -0.4), 0.0)])
def test_one_sided_it_leaves_flat_critics_alone(w, found):
    critic, options = Linear(w), {"real": torch.randn(3, 2), "fake": torch.randn(3, 2)}
    one_sided = WGANGPRegularizer(one_sided=True).discriminator(step(critic, **options))
    torch.testing.assert_close(one_sided, torch.full((3,), found))
    if found == 0:
        torch.testing.assert_close(term(critic, **options), torch.full((3,), 0.25))


def test_points_lie_between_each_real_sample_and_its_fake():
    critic, n = HalfSquare(), 1000
    real, fake = torch.randn(n, 2) + 5, torch.randn(n, 2) - 5
    found = term(critic, real, fake)
    epsilon = (critic.x - fake) / (real - fake)
    torch.testing.assert_close(epsilon[:, 0], epsilon[:, 1])  # one number for a whole sample
    assert epsilon.min() >= -1e-6
    assert epsilon.max() <= 1 + 1e-6
    # Uniform on [0, 1]: mean 1/2 and variance 1/12, within five standard errors.
    assert abs(epsilon[:, 0].mean() - 0.5) < 5 * (1 / 12 / n) ** 0.5
    assert abs(epsilon[:, 0].var() - 1 / 12) < 5 * (1 / 180 / n) ** 0.5
    torch.testing.assert_close(found, (critic.x.norm(dim=1) - 1).square())


def test_points_have_the_labels_of_the_real_samples():
    critic, y = HalfSquare(), torch.tensor([2, 0])
    term(critic, torch.randn(2, 2), torch.randn(2, 2), y=y, fake_y=torch.tensor([1, 1]))
    assert critic.y is y


def test_its_gradient_trains_the_critic():
    critic = Linear()
    term(critic, torch.randn(5, 2), torch.randn(5, 2)).mean().backward()
    # Of (|w| - 1)^2: 2 (|w| - 1) w / |w|.
    torch.testing.assert_close(critic.w.grad, 2 * 4 / 5 * torch.tensor([3.0, -4.0]))


def test_a_flat_critic_gives_no_nan():
    critic = Linear((0.0, 0.0))
    found = term(critic, torch.randn(3, 2), torch.randn(3, 2))
    found.mean().backward()
    torch.testing.assert_close(found, torch.ones(3))
    assert critic.w.grad.isfinite().all()


def test_logits_of_a_sample_are_summed():
    found = term(TwoPatches(), torch.randn(3, 2), torch.randn(3, 2))
    torch.testing.assert_close(found, torch.full((3,), 14.0**2))


def test_it_acts_on_raw_samples_through_the_augmentation():
    found = term(Linear(), torch.randn(3, 2), torch.randn(3, 2), augment=Halving())
    torch.testing.assert_close(found, torch.full((3,), 1.5**2))


def test_it_is_due_for_the_discriminator_alone():
    assert WGANGPRegularizer().is_due(Player.DISCRIMINATOR, 0)
    assert not WGANGPRegularizer().is_due(Player.GENERATOR, 0)
    assert WGANGPRegularizer().weight == 10


@pytest.mark.slow
def test_training_brings_the_slope_to_one(tmp_path):
    """Between points at -1 and at 1 the best critic rises by its distance: slope 1."""
    module = toys.gan(
        discriminator=toys.discriminator(hidden=()),
        loss=WassersteinLoss(),
        regularizers={"wgan_gp": WGANGPRegularizer(weight=100.0)},
        discriminator_optimizer=lambda p: torch.optim.Adam(p, lr=0.01),
    )
    toys.fit(tmp_path, module, steps=200, max_epochs=-1)
    assert module.discriminator.head.weight.norm().item() == pytest.approx(1.0, abs=0.05)
    assert "regularizer/wgan_gp" in module.latest_metrics


def test_interval_below_one():
    with pytest.raises(InputError, match="interval must be a whole number from 1, got 0"):
        WGANGPRegularizer(interval=0)


def test_low_precision_samples_of_autocast(tmp_path):
    module = toys.gan(loss=WassersteinLoss(), regularizers={"wgan_gp": WGANGPRegularizer()})
    toys.fit(tmp_path, module, steps=2, precision="bf16-mixed")
    assert all(p.isfinite().all() for p in module.parameters())
    assert module.latest_metrics["regularizer/wgan_gp"].isfinite()
