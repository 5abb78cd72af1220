"""What is wrong in a loop of one's own is told in one sentence."""

from __future__ import annotations

import by_hand
import pytest
import torch
from torch import nn

from lightning_gan import EMA, GAN, Adversary, Game, GeneratorOutput, InputError, Regularizer
from lightning_gan.balances.adaptive_weight import AdaptiveWeight
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.auxiliary_classifier import AuxiliaryClassifierRegularizer
from lightning_gan.regularizers.r1 import R1Regularizer


def discriminator():
    return by_hand.networks()[1]


def compiled():
    network = discriminator()
    network.compile()
    return network


class Mapped(Regularizer):
    requires = frozenset({"mapping"})


class Orphan(Regularizer):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)


LOSS = NonSaturatingLoss()
MEMBERS = {
    "discriminator must be a network, got 'dcgan'": lambda: Adversary("dcgan", LOSS),
    "loss must be a lightning_gan.AdversarialLoss, got 'hinge'": lambda: Adversary(
        discriminator(), "hinge"
    ),
    "regularizers must be a dict of names and objects, got [R1": lambda: Adversary(
        discriminator(), LOSS, [R1Regularizer()]
    ),
    "regularizers.r1 must be a lightning_gan.Regularizer, got 1.0": lambda: Adversary(
        discriminator(), LOSS, {"r1": 1.0}
    ),
    "a regularizer cannot be called 'r.1'; choose a plain word": lambda: Adversary(
        discriminator(), LOSS, {"r.1": R1Regularizer()}
    ),
    "augment must be a lightning_gan.Augment, got Flatten(": lambda: Adversary(
        discriminator(), LOSS, augment=nn.Flatten()
    ),
    "balance must be a lightning_gan.Balance, got 'gradnorm'": lambda: Adversary(
        discriminator(), LOSS, balance="gradnorm"
    ),
    "schedules['generator_weight'] must be a lightning_gan.Schedule, got 0.5": lambda: Adversary(
        discriminator(), LOSS, schedules={"generator_weight": 0.5}
    ),
    "generator must be a network or None, got 'unet'": lambda: Adversary(
        discriminator(), LOSS, generator="unet"
    ),
    "heads must be 'mean' or 'sum', got 'max'": lambda: Adversary(
        discriminator(), LOSS, heads="max"
    ),
    "max_skipped must be a whole number from 1, or None, got 0": lambda: Adversary(
        discriminator(), LOSS, max_skipped=0
    ),
    "give discriminator_clip_norm or discriminator_clip_value, not both": lambda: Adversary(
        discriminator(), LOSS, discriminator_clip_norm=1.0, discriminator_clip_value=1.0
    ),
    "generator_weight must be 0 or more, got -1.0": lambda: Adversary(
        discriminator(), LOSS, generator_weight=-1
    ),
    "discriminator_optimizer: Invalid learning rate: -1": lambda: Adversary(
        discriminator(), LOSS, discriminator_optimizer=lambda p: torch.optim.SGD(p, lr=-1)
    ),
    "the discriminator has no parameter that requires a gradient": lambda: Adversary(
        discriminator().requires_grad_(False), LOSS
    ),
    "AdaptiveWeight has to know the generator: Adversary(..., generator=net)": lambda: Adversary(
        discriminator(), LOSS, balance=AdaptiveWeight(layer="layers.0")
    ),
    "regularizers.own (Orphan) has parameters that no player trains": lambda: Adversary(
        discriminator(), LOSS, {"own": Orphan()}
    ),
    "regularizer 'classes' (AuxiliaryClassifierRegularizer) needs 'class_logits', which "
    "Discriminator does not provide": lambda: Adversary(
        discriminator(), LOSS, {"classes": AuxiliaryClassifierRegularizer()}
    ),
    "regularizers r1 differentiate the discriminator twice, which torch.compile cannot": (
        lambda: Adversary(compiled(), LOSS, {"r1": R1Regularizer()})
    ),
}


@pytest.mark.parametrize("text", MEMBERS)
def test_members(text):
    with pytest.raises(InputError) as error:
        MEMBERS[text]()
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_a_need_that_the_fakes_may_bring_is_no_error():
    Adversary(discriminator(), LOSS, {"path": Mapped()})


# Batches ------------------------------------------------------------------------------------------

N = 6
((REAL, Z),) = by_hand.batches(1, N)
LABELS = torch.arange(N) % 3


def fakes():
    return by_hand.networks()[0](Z)


def conditional():
    return MLPDiscriminator(by_hand.SHAPE, num_classes=3, hidden=(4,)).double()


def step(real=REAL, fake=None, *rest, network=discriminator, **options):
    Adversary(network(), LOSS).step(real, fakes() if fake is None else fake, *rest, **options)


BATCHES = {
    "real samples must be a tensor, got a list of 1 (int)": lambda: step([1]),
    "fakes must be a tensor or a GeneratorOutput, got a dict of x": lambda: step(REAL, {"x": 1}),
    "fakes must be a tensor or a GeneratorOutput, got str": lambda: step(
        REAL, GeneratorOutput("x")
    ),
    "of one kind, N first, got shapes (6, 3, 4, 4) and (6, 48)": lambda: step(
        REAL, fakes().flatten(1)
    ),
    "as many fakes as real samples are compared, got 4 and 6": lambda: step(REAL, fakes()[:4]),
    "the data yield samples of shape (3, 4, 2), the networks expect (3, 4, 4)": lambda: step(
        REAL[..., :2], fakes()[..., :2]
    ),
    "fakes have shape (3, 4, 2), the discriminator expects (3, 4, 4)": lambda: step(
        REAL, fakes()[..., :2]
    ),
    "the first batch holds NaN or infinite values; check the data": lambda: step(REAL / 0),
    "samples are torch.float32 and the networks torch.float64": lambda: step(
        REAL.float(), fakes().float()
    ),
    "fakes are torch.bfloat16 and the discriminator torch.float64: convert them with "
    "fake.to(torch.float64), or call this under the torch.autocast": lambda: step(
        REAL, fakes().bfloat16()
    ),
    "real samples are on meta and Discriminator on cpu: bring them there with x.to('cpu')": (
        lambda: step(REAL.to("meta"))
    ),
    "fakes are on meta and Discriminator on cpu": lambda: step(REAL, fakes().to("meta")),
    "a network has num_classes=3 but the data yield no labels": lambda: step(network=conditional),
    "class labels must lie in 0..2 (num_classes=3), got 3..5": lambda: step(
        REAL, None, LABELS + 3, network=conditional
    ),
    "class labels must be int64 of shape (6,), got a tensor of torch.int64 and shape (4,)": (
        lambda: step(REAL, None, LABELS, fake_y=LABELS[:4], network=conditional)
    ),
}


@pytest.mark.parametrize("text", BATCHES)
def test_batches(text):
    with pytest.raises(InputError) as error:
        BATCHES[text]()
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_steps_without_gradients():
    with torch.no_grad(), pytest.raises(InputError, match="call it outside of torch.no_grad"):
        step()


def test_fakes_and_real_samples_in_the_wrong_order():
    with pytest.raises(InputError, match=r"generator_loss\(fake, real\) takes first the fakes"):
        Adversary(discriminator(), LOSS).generator_loss(REAL, fakes())


def test_more_fakes_than_real_samples_need_a_condition_of_their_own():
    adversary = Adversary(conditional(), LOSS)
    many = torch.cat([fakes(), fakes()])
    with pytest.raises(InputError, match="there are 12 fakes and 6 real samples with a condition"):
        adversary.generator_loss(many, REAL, LABELS)
    assert adversary.generator_loss(many, REAL, LABELS, fake_y=LABELS.repeat(2)) > 0


def test_later_batches_are_not_looked_through():
    adversary = Adversary(discriminator(), LOSS)
    adversary.step(REAL, fakes())
    adversary.step(REAL * torch.nan, fakes())
    assert adversary.skipped == 1


# Games --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("real", "text"),
    [
        ([REAL, LABELS], "real samples must be a tensor of samples, got a list of 2 (a tensor of"),
        (REAL.to("meta"), "real samples are on meta and Discriminator on cpu: bring them there"),
        (REAL[:, :1], "the data yield samples of shape (1, 4, 4), the networks expect (3, 4, 4)"),
    ],
)
def test_batches_of_a_game(real, text):
    game = Game(GAN(*by_hand.networks(), loss=LOSS))
    with pytest.raises(InputError) as error:
        game.play(real)
    assert text in str(error.value)


def test_a_game_in_float64_casts_its_latents():
    generator, discriminator = by_hand.networks()
    generator.layers.insert(1, nn.BatchNorm1d(12).double())
    gan = GAN(generator, discriminator, loss=LOSS, ema=EMA(buffers="reestimate"))
    Game(gan).play(REAL)
    assert gan.sample(2, seed=0).dtype == torch.float64
