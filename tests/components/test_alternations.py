"""Turns of the players: at once, more of G's, a D that rests while it wins, one player at first."""

from __future__ import annotations

import copy

import pytest
import torch
import toys

from lightning_gan import Feedback, Game, InputError, Player, Progress, create_alternation
from lightning_gan.alternations.accuracy_controlled import AccuracyControlled
from lightning_gan.alternations.alternating import Alternating
from lightning_gan.alternations.loss_threshold import LossThreshold
from lightning_gan.alternations.simultaneous import Simultaneous
from lightning_gan.alternations.warm_up import WarmUp
from lightning_gan.components.spec import build

D, G = Player.DISCRIMINATOR, Player.GENERATOR


def test_more_steps_of_the_generator_than_of_the_discriminator():
    game = Game(toys.gan(alternation=Alternating(d_steps=1, g_steps=3)))
    before = toys.weights(game.gan.discriminator)
    phases = [game.play(toys.images(8)).phases for _ in range(2)]
    assert phases == [(D, G, G, G)] * 2
    progress = game.progress
    assert (progress.discriminator_steps, progress.generator_steps) == (2, 6)
    assert progress.batches == progress.rounds == 2
    # D has made two steps of Adam, each of about its learning rate; G's phases left it alone.
    after = toys.weights(game.gan.discriminator)
    largest = max((after[name] - before[name]).abs().max() for name in before)
    assert 2e-4 < largest < 5e-4


def test_at_once_each_steps_on_the_others_weights_of_before():
    def played(alternation):
        torch.manual_seed(0)
        game = Game(toys.gan(alternation=alternation), seed=0)
        before = copy.deepcopy(game.gan.discriminator)
        seen = []
        forward = game.gan.discriminator.forward
        game.gan.discriminator.forward = lambda *a: seen.append(weights(game)) or forward(*a)
        game.play(toys.images(8))
        assert not toys.same(toys.weights(before), toys.weights(game.gan.discriminator))
        return seen

    def weights(game):
        return next(iter(game.gan.discriminator.parameters())).detach().clone()

    at_once, in_turn = played(Simultaneous()), played(None)
    assert all(torch.equal(each, at_once[0]) for each in at_once)
    assert not torch.equal(in_turn[-1], in_turn[0])
    assert Simultaneous().phases(Progress()) == (D, G)


# A discriminator that rests ----------------------------------------------------------------------


def told(real, fake, images=8, phases=(D, G)):
    signs = {"real_sign": real, "fake_sign": fake}
    tensors = {key: None if v is None else torch.tensor(v) for key, v in signs.items()}
    return Feedback(Progress(images=images), phases, **tensors)


def test_accuracy_and_its_average():
    alternation = AccuracyControlled(threshold=0.7, momentum=0.5)
    assert alternation.phases(Progress()) == (D, G)
    alternation.observe(told(1.0, -1.0))  # all right: (1/2 + 1) / 2
    assert alternation.accuracy == pytest.approx(0.75)
    assert alternation.phases(Progress()) == (G,)
    alternation.observe(told(None, 0.3))
    alternation.observe(told(0.2, None))
    assert alternation.accuracy == pytest.approx(0.75)
    alternation.observe(told(0.2, 0.0))  # 60 % of real samples and half of the fakes: .55
    assert alternation.accuracy == pytest.approx(0.65)
    assert alternation.phases(Progress()) == (D, G)
    resumed = AccuracyControlled(threshold=0.7, momentum=0.5)
    resumed.load_state_dict(alternation.state_dict())
    assert resumed.accuracy == alternation.accuracy


class Knowing(torch.nn.Module):
    """D of the tests, whose logits are moved by a known amount for real samples."""

    sample_shape = toys.SHAPE

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.lead = 5.0

    def forward(self, x, y=None):
        real = (x.flatten(1)[:, 0] == -0.5).float()
        return self.lead * (2 * real - 1) + self.weight * x.sum((1, 2, 3))


def test_a_resting_discriminator_is_measured_and_comes_back():
    class Discriminator(Knowing, toys.MLPDiscriminator):
        def __init__(self):
            toys.MLPDiscriminator.__init__(self, toys.SHAPE)
            self.weight, self.lead = torch.nn.Parameter(torch.zeros(())), 5.0
            self.layers.requires_grad_(False)

    discriminator = Discriminator()
    game = Game(toys.gan(discriminator=discriminator, alternation=AccuracyControlled(0.8, 0.5)))
    real = torch.full((8, *toys.SHAPE), -0.5)
    phases = [game.play(real).phases for _ in range(4)]
    assert phases == [(D, G), (D, G), (G,), (G,)]  # averages .75, .875 and so on
    discriminator.lead = -5.0  # all wrong from here on
    phases = [game.play(real).phases for _ in range(3)]
    assert phases == [(G,), (D, G), (D, G)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"threshold": 0.3}, r"threshold must lie in \[0.5, 1\], got 0.3"),
        ({"momentum": 1.0}, r"momentum must lie in \[0, 1\), got 1.0"),
    ],
)
def test_bad_numbers_of_accuracy_control(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        create_alternation("accuracy_controlled", **arguments)


# One player at first -----------------------------------------------------------------------------


def test_one_player_then_another_alternation():
    alternation = WarmUp(kimg=0.02, player="generator", then=Alternating(d_steps=2))
    game = Game(toys.gan(alternation=build(alternation.spec())))
    phases = [game.play(toys.images(8)).phases for _ in range(7)]
    assert phases == [(G,), (G,), (G,), (D, G), (D,), (D, G), (D,)]
    assert not game.gan.alternation.observes


def test_what_follows_hears_of_its_own_batches_alone():
    def new():
        return WarmUp(kimg=0.016, then=LossThreshold(max_d_steps=2, d_below=-1.0))

    alternation = new()
    assert alternation.observes
    assert alternation.measures == {D}
    game = Game(toys.gan(alternation=alternation))
    phases = [game.play(toys.images(8)).phases for _ in range(4)]
    assert phases == [(D,), (D,), (D,), (D,)]  # two of the warm-up, two of D's turn
    resumed = new()
    resumed.load_state_dict(alternation.state_dict())
    assert resumed.phases(game.progress) == alternation.phases(game.progress) == (G,)


def test_what_follows_may_be_simultaneous():
    assert WarmUp(kimg=1, then=Simultaneous()).simultaneous
    assert WarmUp(kimg=0).phases(Progress()) == (D, G)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"kimg": -1}, "kimg must be 0 or more, got -1"),
        ({"kimg": 1, "player": "both"}, "player must be 'generator' or 'discriminator', got 'bot"),
        ({"kimg": 1, "then": 3}, "then must be an alternation or null, got 3"),
    ],
)
def test_bad_warm_ups(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        create_alternation("warm_up", **arguments)
