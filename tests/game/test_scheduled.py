"""Schedules reach every number: of parts, of averages, of both optimizers."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
import toys
from torch import nn

from lightning_gan import (
    EMA,
    Adversary,
    Game,
    GANModule,
    Generator,
    InputError,
    ParameterGroup,
)
from lightning_gan.augments.ada import ADAAugment
from lightning_gan.data import RandomImages
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.approximate_r1 import ApproximateR1Regularizer
from lightning_gan.regularizers.auxiliary_classifier import AuxiliaryClassifierRegularizer
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.schedules import BurnIn, Constant, Cosine, Linear, Piecewise, Step

ADAM = partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.9))


class Fraction(NonSaturatingLoss):
    def __init__(self, fraction: float = 1.0):
        super().__init__()
        self.fraction = fraction


GENERATOR, DISCRIMINATOR, LOSS = toys.generator(), toys.discriminator(), NonSaturatingLoss()


def group(game, player, key):
    return [g[key] for g in getattr(game, player).optimizer.param_groups]


def test_all_numbers_of_a_recipe_follow_the_images_seen():
    batch = 0.008  # kimg
    game = Game(
        toys.gan(
            loss=Fraction(),
            regularizers={"r1": R1Regularizer(10.0)},
            augment=ADAAugment("b", target=None),
            ema=EMA(),
            generator_optimizer=ADAM,
            discriminator_optimizer=ADAM,
            schedules={
                "regularizers.r1.weight": Cosine(10.0, 1.0, kimg=2 * batch),
                "ema.half_life_kimg": Linear(0.0, 2.0, kimg=2 * batch),
                "augment.p": Linear(0.0, 0.3, kimg=2 * batch),
                "loss.fraction": Step(1.0, 0.5, kimg=batch),
                "generator_weight": BurnIn(0.5, 1.0, kimg=batch),
                "generator_optimizer.lr": Linear(1e-3, 0.0, kimg=4 * batch),
                "discriminator_optimizer.lr": Constant(4e-3),
                "discriminator_optimizer.betas.1": Linear(0.9, 0.99, kimg=2 * batch),
                "generator_optimizer.betas.0": Step(0.5, 0.0, kimg=batch),
            },
        )
    )
    gan = game.gan
    seen = []
    for _ in range(3):
        game.play(toys.images(8))
        seen.append(
            (
                gan.regularizers["r1"].weight,
                gan.ema.half_life_kimg,
                gan.augment.p,
                gan.loss.fraction,
                gan.generator_settings.weight,
                *group(game, "generator", "lr"),
                *group(game, "discriminator", "lr"),
                *group(game, "discriminator", "betas"),
                *group(game, "generator", "betas"),
            )
        )
    columns = list(zip(*seen, strict=True))
    assert columns[0] == pytest.approx((10.0, 5.5, 1.0))
    assert columns[1] == pytest.approx((0.0, 1.0, 2.0))
    assert columns[2] == pytest.approx((0.0, 0.15, 0.3))
    assert columns[3] == (1.0, 0.5, 0.25)
    assert columns[4] == (0.5, 1.0, 1.0)
    assert columns[5] == pytest.approx((1e-3, 7.5e-4, 5e-4))
    assert columns[6] == (4e-3,) * 3
    assert columns[7] == ((0.5, 0.9), (0.5, pytest.approx(0.945)), (0.5, pytest.approx(0.99)))
    assert columns[8] == ((0.5, 0.9), (0.0, 0.9), (0.0, 0.9))


def test_weights_within_a_term():
    term = AuxiliaryClassifierRegularizer()
    path = "regularizers.classes.generator_weight"
    classed = partial(toys.gan, regularizers={"classes": term})
    with pytest.raises(InputError, match="class_logits"):  # of the tiny discriminator
        classed()
    term.requires = frozenset()
    gan = classed(schedules={path: Linear(0.0, 1.0, kimg=1)})
    assert term.generator_weight == 0.0
    gan.progress = gan.progress.after_batch(250)
    gan.follow_schedules()
    assert term.generator_weight == 0.25


def test_a_rate_of_zero_moves_nothing_and_a_scheduled_one_as_much_as_a_given_one():
    def moved(**options):
        game = Game(
            toys.gan(generator_optimizer=partial(torch.optim.SGD, lr=1.0), **options), seed=0
        )
        before = toys.weights(game.gan.generator)
        game.play(toys.images(8))
        after = toys.weights(game.gan.generator)
        return [after[name] - before[name] for name in before]

    torch.manual_seed(0)
    generator, discriminator = toys.generator(), toys.discriminator()

    def run(value):
        parts = copy.deepcopy({"generator": generator, "discriminator": discriminator})
        schedules = {} if value is None else {"generator_optimizer.lr": Constant(value)}
        return moved(**parts, schedules=schedules)

    assert all(not change.any() for change in run(0.0))
    for whole, half in zip(run(None), run(0.5), strict=True):
        torch.testing.assert_close(whole, 2 * half)


class Grouped(Generator):
    latent_dim, sample_shape = 3, toys.SHAPE

    def __init__(self):
        super().__init__()
        self.mapping, self.draw = nn.Linear(3, 4), nn.Linear(4, 16)

    def forward(self, z, y=None):
        return self.draw(self.mapping(z)).tanh().view(-1, *toys.SHAPE)

    def parameter_groups(self):
        return [ParameterGroup("mapping", list(self.mapping.parameters()), rate=0.01)]


def test_groups_keep_their_factor_of_the_rate():
    schedules = {"generator_optimizer.lr": Linear(0.0, 1.0, kimg=0.016)}
    game = Game(toys.gan(generator=Grouped(), schedules=schedules))
    for expected in ([0.0, 0.0], [0.005, 0.5], [0.01, 1.0]):
        game.play(toys.images(8))
        assert group(game, "generator", "lr") == pytest.approx(expected)


def test_training_goes_on_exactly(tmp_path):
    def module():
        torch.manual_seed(7)
        return toys.gan(
            schedules={
                "discriminator_optimizer.lr": Linear(1e-3, 0.0, kimg=0.064),
                "generator_optimizer.betas.1": Cosine(0.9, 0.99, kimg=0.064),
            }
        )

    def data():  # which is resumed exactly
        return RandomImages(shape=[1, 4, 4], n=40, batch_size=8)

    whole = module()
    toys.fit(tmp_path, whole, steps=8, data=data())
    first = module()  # and its seed
    toys.fit(tmp_path, first, steps=4, data=data()).save_checkpoint(tmp_path / "half.ckpt")
    resumed = module()
    run = toys.trainer(tmp_path, max_steps=8)
    run.fit(resumed, data(), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    for player in ("generator", "discriminator"):
        ours, theirs = (toys.weights(getattr(each, player)) for each in (resumed, whole))
        assert toys.same(ours, theirs), player
    assert run.optimizers[1].param_groups[0]["lr"] == pytest.approx(1e-3 / 8)


def test_the_discriminator_of_an_adversary():
    discriminator = toys.discriminator()
    schedules = {"discriminator_optimizer.lr": Linear(1.0, 0.0, kimg=0.016)}
    adversary = Adversary(discriminator, NonSaturatingLoss(), schedules=schedules)
    for expected in (1.0, 0.5):
        adversary.step(toys.images(8), toys.images(8, seed=1))
        assert adversary.optimizer.param_groups[0]["lr"] == expected
    with pytest.raises(InputError, match="names an optimizer, and the generator has none here"):
        Adversary(
            discriminator,
            NonSaturatingLoss(),
            schedules={"generator_optimizer.lr": Constant(1.0)},
        )


@pytest.mark.parametrize(
    ("path", "schedule", "sentence"),
    [
        (
            "generator_optimizer.rate",
            Constant(1.0),
            "'generator_optimizer.rate' names no number of an optimizer.* Adam has: .*betas.0, ",
        ),
        ("generator_optimizer.betas.2", Constant(0.5), "names no number of an optimizer"),
        ("generator_optimizer.lrr", Constant(0.5), "did you mean 'lr'"),
        (
            "discriminator_optimizer.lr",
            Linear(1e-3, -1e-3, kimg=1),
            "'discriminator_optimizer.lr' must stay at 0 or more, and is -2.4e-05 after 512 imag",
        ),
        (
            "discriminator_optimizer.betas.1",
            Linear(0.9, 1.0, kimg=1),
            r"'discriminator_optimizer.betas.1' must stay in \[0, 1\), and is 1 after 1,000 images",
        ),
    ],
)
def test_what_cannot_be_scheduled(path, schedule, sentence):
    with pytest.raises(InputError, match=sentence):
        toys.gan(schedules={path: schedule})


@pytest.mark.parametrize(
    ("path", "schedule", "sentence"),
    [
        (
            "augment.p",
            Linear(0.0, 1.5, kimg=1),
            "'augment.p' is 1.5 after 1,000 images, which ADAAugment does not take: p must",
        ),
        ("augment.p", BurnIn(-0.5, 1.0, kimg=1), "'augment.p' is -0.5 after 0 images"),
        (
            "ema.half_life_kimg",
            Linear(1.0, -1.0, kimg=1),
            "'ema.half_life_kimg' is -0.024 after 512 images, which EMA does not take: half_life",
        ),
        (
            "augment.p",
            Piecewise([[0, 0.0], [1.5, 7.0], [2, 0.0]]),  # between two powers of two
            "'augment.p' is 7 after 1,500 images",
        ),
        (
            "augment.p",
            Step(0.5, -2.0, kimg=1.1, most=3),
            "'augment.p' is -1 after 1,100 images",
        ),
    ],
)
def test_a_part_is_never_set_to_what_its_constructor_refuses(path, schedule, sentence):
    """Known before training, and no random number is drawn for it."""
    before = torch.get_rng_state()
    parts = {
        "augment": ADAAugment(target=None),
        "ema": EMA(),
        "regularizers": {"r1": R1Regularizer()},
    }
    with pytest.raises(InputError, match=sentence):
        GANModule(GENERATOR, DISCRIMINATOR, LOSS, schedules={path: schedule}, **parts)
    assert torch.equal(torch.get_rng_state(), before)


class Ordered(NonSaturatingLoss):
    """Two numbers of which one has to lie above the other; a plain error says so."""

    def __init__(self, low: float = 0.0, high: float = 1.0):
        super().__init__()
        if low >= high:
            raise ValueError(f"{low} is not below {high}")
        self.low, self.high = low, high


class Holding(NonSaturatingLoss):
    """A part with a module of its own, which is not made twice."""

    made = 0

    def __init__(self, factor: float = 1.0):
        super().__init__()
        Holding.made += 1
        self.factor, self.held = factor, nn.Linear(1, 1).requires_grad_(False)


def test_numbers_that_move_together_are_tried_together():
    low = Linear(0.0, 2.0, kimg=1)
    gan = toys.gan(
        loss=Ordered(), schedules={"loss.low": low, "loss.high": Linear(1.0, 4.0, kimg=1)}
    )
    gan.follow_schedules()
    with pytest.raises(
        InputError, match="'loss.low' is 2 and 'loss.high' is 1.5 after 1,000 images.* not below"
    ):
        toys.gan(loss=Ordered(), schedules={"loss.low": low, "loss.high": Constant(1.5)})


def test_what_is_halved_for_ever_is_not_yet_zero():
    halved = Step(0.1, 0.5, kimg=100)
    toys.gan(
        regularizers={"r1": ApproximateR1Regularizer()}, schedules={"regularizers.r1.sigma": halved}
    )


def test_parts_with_modules_are_not_made_again():
    loss = Holding()
    loss.weights_from = "nowhere"
    toys.gan(loss=loss, schedules={"loss.factor": Linear(0.0, 1.0, kimg=1)})
    assert Holding.made == 1


def test_one_of_two_moves_a_rate():
    decay = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    both = partial(toys.gan, generator_lr_scheduler=decay)
    with pytest.raises(
        InputError,
        match=r"'generator_optimizer.lr' is moved by generator_lr_scheduler \(StepLR\) as well",
    ):
        both(schedules={"generator_optimizer.lr": Constant(1.0)})
    both(schedules={"generator_optimizer.betas.1": Constant(0.9)})
    cycle = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=1.0, total_steps=9)
    with pytest.raises(InputError, match=r"betas.0' is moved by generator_lr_scheduler \(OneCycl"):
        toys.gan(
            generator_lr_scheduler=cycle,
            schedules={"generator_optimizer.betas.0": Constant(0.5)},
        )


class OwnOptimizers(GANModule):
    def configure_optimizers(self):
        make = partial(torch.optim.SGD, lr=1.0)
        return [make(self.generator.parameters()), make(self.discriminator.parameters())]


def test_optimizers_of_ones_own_without_the_number(tmp_path):
    module = OwnOptimizers(
        generator=toys.generator(),
        discriminator=toys.discriminator(),
        loss=NonSaturatingLoss(),
        schedules={"generator_optimizer.betas.1": Constant(0.9)},
    )
    with pytest.raises(InputError, match="of the optimizer that configure_optimizers returns, SGD"):
        toys.fit(tmp_path, module, steps=1)
