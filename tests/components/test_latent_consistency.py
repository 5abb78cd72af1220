"""Consistency of latents against numbers by hand."""

import pytest
import torch
import toys
from critics import Heads, Linear, double, noise, update
from torch import nn
from torch.nn.functional import dropout

from lightning_gan import Game
from lightning_gan.augments.diffaugment import DiffAugment
from lightning_gan.errors import InputError
from lightning_gan.generators.stylegan2 import StyleGAN2Generator
from lightning_gan.regularizers.latent_consistency import LatentConsistencyRegularizer
from lightning_gan.types import Player


class Doubling(nn.Module):
    """G(z, y) = a z + y with a = 2; it keeps what it saw."""

    latent_dim = 2

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(double(2.0))
        self.seen = []

    def forward(self, z, y=None):
        self.seen.append(z)
        return self.a * z + (0 if y is None else y)


def played(player, critic, n=3, y=None, **arguments):
    """A term of zCR, the generator, and how far the latents moved."""
    generator, z = Doubling(), noise(n, 2)
    regularizer = LatentConsistencyRegularizer(sigma=0.3, **arguments)
    fake = generator(z, y)
    step = update(regularizer, critic, fake.detach(), fake, fake_y=y, z=z, player=player)
    step.generator = generator
    found = regularizer.term(step)
    return found, generator, generator.seen[-1] - z


def test_the_critics_part_by_hand():
    critic = Linear()
    found, generator, moved = played(Player.DISCRIMINATOR, critic)
    expected = (2 * moved @ double([3.0, -4.0])).square().mean()
    torch.testing.assert_close(found, 5 * expected)
    found.backward()
    slope = 2 * (2 * moved @ double([3.0, -4.0]))[:, None] * 2 * moved
    torch.testing.assert_close(critic.w.grad, 5 * slope.mean(0))
    assert generator.a.grad is None
    assert len(critic.seen) == 2


def test_the_generators_part_by_hand():
    critic = Linear()
    found, generator, moved = played(Player.GENERATOR, critic)
    torch.testing.assert_close(found, -0.5 * (2 * moved).square().mean(1))
    found.mean().backward()
    torch.testing.assert_close(generator.a.grad, -0.5 * 4 * moved.square().mean())
    assert critic.seen == []


def test_latents_move_by_sigma_and_conditions_stay():
    y = torch.full((4000, 1), 5.0, dtype=torch.float64)
    found, _, moved = played(Player.GENERATOR, Linear(), 4000, y)
    assert abs(moved.mean()) < 5 * 0.3 / 8000**0.5
    assert abs(moved.std() - 0.3) < 5 * 0.3 / 16000**0.5
    torch.testing.assert_close(found, -0.5 * (2 * moved).square().mean(1))


def test_heads_are_joined():
    found, _, moved = played(Player.DISCRIMINATOR, Heads(), discriminator_weight=1.0)
    rise = (2 * moved @ double([3.0, -4.0])).square().mean()
    torch.testing.assert_close(found, rise * (1 + 9) / 2)


def test_a_part_without_weight_is_not_computed():
    for player in Player:
        weight = {f"{player.value}_weight": 0.0}
        found, generator, _ = played(player, Linear(), **weight)
        assert found is None
        assert len(generator.seen) == 1


def test_both_parts_are_in_the_log():
    game = Game(toys.gan(regularizers={"zcr": LatentConsistencyRegularizer()}), seed=0)
    readings = game.play(toys.images(8))
    assert readings.discriminator.terms["zcr/discriminator"] > 0
    assert readings.generator.terms["zcr/generator"] < 0


class Mixing(nn.Module):
    """G that draws its own noise, as style mixing does."""

    latent_dim = 2

    def forward(self, z, y=None):
        return z + 3 * torch.randn_like(z)


class Dropping(Linear):
    """D that drops half of what it sees."""

    def forward(self, x, y=None):
        return super().forward(dropout(x), y)


@pytest.mark.parametrize("player", Player)
@pytest.mark.parametrize("generator", [Doubling(), Mixing()])
@pytest.mark.parametrize("critic", [Linear(), Dropping()])
def test_only_the_latents_make_the_difference(player, generator, critic):
    """Whatever networks draw, the term falls with the square of sigma."""
    augment = nn.Sequential(nn.Dropout(0.5)) if player is Player.DISCRIMINATOR else None
    z = noise(2000, 2)
    found = []
    for sigma in (1e-2, 1e-4):
        torch.manual_seed(0)
        regularizer = LatentConsistencyRegularizer(1.0, 1.0, sigma=sigma)
        fake = generator(z)
        step = update(regularizer, critic, fake.detach(), fake, z=z, player=player)
        step.generator, step.augment = generator, augment
        found.append(regularizer.term(step).detach().mean())
    assert found[0].abs() > 1e-6
    torch.testing.assert_close(found[0], 1e4 * found[1], rtol=1e-3, atol=0)


def test_with_parts_that_draw():
    """StyleGAN2's mixing and noise, DiffAugment's colors: 1e-8 of latents is nearly nothing."""
    shape = (1, 8, 8)
    gan = toys.gan(
        generator=StyleGAN2Generator(shape, latent_dim=4, style_mixing=1.0),
        discriminator=toys.discriminator(sample_shape=shape, dropout=0.5),
        augment=DiffAugment(),
        regularizers={"zcr": LatentConsistencyRegularizer(1.0, 1.0, sigma=1e-5)},
    )
    readings = Game(gan, seed=0).play(toys.images(8, shape))
    for player in ("discriminator", "generator"):
        assert abs(getattr(readings, player).terms[f"zcr/{player}"]) < 1e-6


@pytest.mark.parametrize(("autocast", "passes"), [(False, 3), (True, 4)])
def test_fakes_are_shared_where_nothing_is_cast(autocast, passes):
    """Once for the loss of both players, and once for each player's moved latents."""
    gan = toys.gan(regularizers={"zcr": LatentConsistencyRegularizer()}, share_fakes=True)
    counted = []
    gan.generator.register_forward_hook(lambda *_: counted.append(1))
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        Game(gan, seed=0).play(toys.images(8))
    assert len(counted) == passes


def test_wrong_arguments():
    with pytest.raises(InputError, match="sigma must be positive, got 0.0"):
        LatentConsistencyRegularizer(sigma=0.0)
    generator = Doubling()
    generator.latent_dim = 0
    with pytest.raises(InputError, match="changes latents, and the generator's latent_dim is 0"):
        LatentConsistencyRegularizer().bind(generator, Linear())
