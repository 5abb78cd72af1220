"""L1, L2 and Charbonnier against NumPy, and what all comparisons of pairs have in common."""

import numpy as np
import pytest
import torch
import toys
from updates import tensor, update

from lightning_gan import Adversary
from lightning_gan.errors import InputError
from lightning_gan.game.game import Game
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.base import ReconstructionRegularizer, bounds_of
from lightning_gan.regularizers.charbonnier import CharbonnierRegularizer
from lightning_gan.regularizers.l1 import L1Regularizer
from lightning_gan.regularizers.l2 import L2Regularizer
from lightning_gan.types import Player

REAL, FAKE = torch.randn(3, 2, 4), torch.randn(3, 2, 4)
DIFFERENCE = (REAL - FAKE).double().numpy().reshape(3, 8)


def term(regularizer, real=REAL, fake=FAKE, **options):
    return regularizer.generator(update(Player.GENERATOR, real, fake, **options))


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (L1Regularizer(), np.abs(DIFFERENCE)),
        (L2Regularizer(), DIFFERENCE**2),
        (CharbonnierRegularizer(), np.sqrt(DIFFERENCE**2 + 1e-6)),
        (CharbonnierRegularizer(epsilon=0.5), np.sqrt(DIFFERENCE**2 + 0.25)),
    ],
)
def test_means_over_each_sample(regularizer, expected):
    np.testing.assert_allclose(term(regularizer).numpy(), expected.mean(1), rtol=1e-5)
    assert regularizer.acts_on(Player.GENERATOR)
    assert not regularizer.acts_on(Player.DISCRIMINATOR)


def test_charbonnier_has_a_slope_where_l1_has_none():
    fake = REAL.clone().requires_grad_()
    distance = term(CharbonnierRegularizer(epsilon=1.0), fake=fake + 0.75)
    (slope,) = torch.autograd.grad(distance.sum(), fake)
    torch.testing.assert_close(slope, torch.full_like(slope, 0.6 / 8))  # 3/4 over 5/4
    assert term(CharbonnierRegularizer(epsilon=1.0), fake=REAL).tolist() == [1.0] * 3


def test_targets_of_the_batchs_extra_have_no_graph():
    target = torch.zeros(3, 2, 4, requires_grad=True)
    fake = FAKE.clone().requires_grad_()
    found = term(L2Regularizer(target="sharp"), fake=fake, extra={"sharp": target})
    torch.testing.assert_close(found, FAKE.square().mean((1, 2)))
    found.sum().backward()
    assert target.grad is None
    assert fake.grad is not None


def test_low_precision_is_left_before_differences_are_taken():
    found = term(L1Regularizer(), fake=FAKE.bfloat16())
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, (REAL - FAKE.bfloat16().float()).abs().mean((1, 2)))


def test_in_a_game_whose_condition_is_the_input():
    """An L1 alone teaches G, which sees the input as y, to return it."""

    class Copying(toys.MLPGenerator):
        def forward(self, z, y=None):
            return super().forward(y.flatten(1))

    torch.manual_seed(0)
    generator = Copying(toys.SHAPE, latent_dim=16, hidden=(32,))
    generator.latent_dim = 0
    gan = toys.gan(
        generator=generator,
        regularizers={"l1": L1Regularizer()},
        generator_weight=0.0,
        generator_optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.01),
    )
    game, x = Game(gan), toys.images(16)
    first = game.play(x, x).generator.terms["l1"].item()
    for _ in range(60):
        readings = game.play(x, x)
    assert readings.generator.terms["l1"].item() < 0.5 * first


class Range(ReconstructionRegularizer):
    """Notes the range in which it is to work."""

    seen = None

    def distance(self, fake, target, step):
        self.seen = bounds_of(self, None, step)
        return (fake - target).abs().flatten(1).mean(1)


def test_the_range_is_that_of_generator_or_data():
    regularizer = Range()
    generator = toys.generator()
    gan = toys.gan(generator=generator, regularizers={"range": regularizer})
    Game(gan).play(toys.images(4))
    assert regularizer.seen == (-1.0, 1.0)
    gan.declare_range("unit")
    Game(gan).play(toys.images(4).abs())
    assert regularizer.seen == (0.0, 1.0)
    generator.sample_range = (0.0, 50.0)
    adversary = Adversary(
        toys.discriminator(), NonSaturatingLoss(), {"range": regularizer}, generator=generator
    )
    adversary.generator_loss(generator(torch.randn(4, 3)), toys.images(4))
    assert regularizer.seen == (0.0, 50.0)


def test_errors():
    with pytest.raises(InputError, match="epsilon must be positive, got 0"):
        CharbonnierRegularizer(epsilon=0)
    with pytest.raises(
        InputError, match="the entry 'sharp' of the batch's extra, which hol.* mask"
    ):
        term(L1Regularizer(target="sharp"), extra={"mask": tensor([1.0])})
    text = r"L1Regularizer compares .* shape \(6, 2, 4\) and targets of shape \(3, 2, 4\)"
    with pytest.raises(InputError, match=text):
        term(L1Regularizer(), fake=torch.cat([FAKE, FAKE]))
    step = update(Player.GENERATOR, REAL, FAKE, sample_range="free")
    with pytest.raises(InputError, match="Range needs to know .* give it sample_range="):
        Range().generator(step)
