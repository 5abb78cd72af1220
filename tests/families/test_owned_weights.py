"""Parts with weights: who trains them, where they are saved, and that they learn."""

from __future__ import annotations

import pytest
import tiny_networks as tiny
import torch
import toys
from families import FAMILIES, adam
from owned_weights import Perceptual
from torch import nn

from lightning_gan import Adversary, Alternation, Game, GANModule, InputError, Player, Regularizer
from lightning_gan.losses.non_saturating import NonSaturatingLoss


class Alone(Alternation):
    """One player steps."""

    def __init__(self, player):
        super().__init__()
        self.player = player

    def phases(self, progress):
        return (self.player,)


OWNERS = {
    "infogan": ("info", Player.GENERATOR),
    "cut": ("nce", Player.GENERATOR),
    "mine": ("mine", Player.DISCRIMINATOR),
}


@pytest.mark.parametrize("player", Player)
@pytest.mark.parametrize("name", OWNERS)
def test_weights_move_with_their_owner_alone(name, player):
    family, (term, owner) = FAMILIES[name], OWNERS[name]
    gan = family.gan(alternation=Alone(player))
    part = gan.regularizers[term]
    before = toys.weights(part)
    game = Game(gan)
    game.play(*gan.read(family.batch()))
    moved = [key for key, value in part.named_parameters() if not value.equal(before[key])]
    assert moved == ([key for key, _ in part.named_parameters()] if player is owner else [])
    side = game.side(owner)
    trained = {id(p) for group in side.optimizer.param_groups for p in group["params"]}
    assert {id(p) for p in part.parameters()} <= trained
    assert len(toys.weights(gan.generator_ema)) == len(toys.weights(gan.generator))


def test_q_learns_the_code():
    family = FAMILIES["infogan"]
    gan = family.gan(generator_weight=0.1)
    game = Game(gan, seed=1)
    for seed in range(150):
        readings = game.play(family.batch(16, seed))
    assert readings.generator.terms["info/generator"] < 0.2  # log 2 = 0.69 where it knows nothing
    assert readings.discriminator.terms.keys() == {"info/discriminator"}


def test_the_code_reaches_the_trunk_of_the_discriminator():
    family = FAMILIES["infogan"]
    gan = family.gan(discriminator_weight=0.0, alternation=Alone(Player.DISCRIMINATOR))
    before = toys.weights(gan.discriminator.network)
    Game(gan).play(family.batch())
    after = toys.weights(gan.discriminator.network)
    moved = {name.partition(".")[0] for name in before if not after[name].equal(before[name])}
    assert moved == {"trunk"}


def test_a_patch_of_the_translation_is_told_by_its_source():
    family = FAMILIES["cut"]
    gan = family.gan(generator_weight=0.0, discriminator_weight=0.0)
    game = Game(gan)
    for seed in range(100):
        readings = game.play(*gan.read(family.batch(seed=seed)))
    assert readings.generator.terms["nce"] < 0.5  # log 16 = 2.8 where it tells nothing


def test_mine_bounds_the_information_that_samples_hold_of_latents():
    family = FAMILIES["mine"]
    gan = family.gan(generator_weight=0.0, discriminator_weight=0.0)
    game, bounds = Game(gan, seed=1), []
    for seed in range(200):
        readings = game.play(family.batch(32, seed))
        bounds.append(readings.discriminator.reports["regularizer/mine/bound"].item())
    assert abs(bounds[0]) < 0.1
    assert sum(bounds[-20:]) / 20 > 0.5


@pytest.fixture
def weights(tmp_path):
    """A file with the weights of a perceptual network, and one with others."""
    paths = [str(tmp_path / name) for name in ("first.pt", "second.pt")]
    for path in paths:
        torch.save(nn.Conv2d(1, 4, 3).state_dict(), path)
    return paths


def perceptual(path):
    torch.manual_seed(0)
    return GANModule(
        tiny.generator(),
        tiny.TinyDiscriminator(),
        NonSaturatingLoss(),
        {"perceptual": Perceptual(path)},
        generator_optimizer=adam,
    )


def test_frozen_weights_are_saved_by_reference(tmp_path, weights):
    data = FAMILIES["hinge"].data
    whole = perceptual(weights[0])
    toys.fit(tmp_path, whole, steps=4, data=data())
    gan = perceptual(weights[0])
    toys.fit(tmp_path, gan, steps=2, data=data()).save_checkpoint(tmp_path / "a.ckpt")
    saved = torch.load(tmp_path / "a.ckpt", weights_only=True)["state_dict"]
    assert not [name for name in saved if "perceptual" in name]
    loaded = GANModule.load_from_checkpoint(tmp_path / "a.ckpt")
    ours, theirs = gan.regularizers["perceptual"].net, loaded.regularizers["perceptual"].net
    assert toys.same(toys.weights(ours), toys.weights(theirs))
    assert toys.same(toys.weights(ours), torch.load(weights[0], weights_only=True))
    resumed = perceptual(weights[0])
    toys.trainer(tmp_path, max_steps=4).fit(resumed, data(), ckpt_path=tmp_path / "a.ckpt")
    assert toys.same(toys.weights(whole.generator), toys.weights(resumed.generator))


def test_other_frozen_weights_are_refused(tmp_path, weights):
    run = toys.fit(tmp_path, perceptual(weights[0]), steps=1)
    run.save_checkpoint(tmp_path / "a.ckpt")
    torch.save(torch.load(weights[1], weights_only=True), weights[0])
    with pytest.raises(InputError, match="was saved with weights from .*first.pt.*are others"):
        GANModule.load_from_checkpoint(tmp_path / "a.ckpt")


class Orphan(Regularizer):
    """Makes weights when it knows the networks, and names nobody who trains them."""

    def bind(self, generator, discriminator):
        self.layer = nn.Linear(16, 1)

    def generator(self, step):
        return self.layer(step.fake.flatten(1))


def test_weights_without_an_owner_are_refused_wherever_they_are_made():
    sentence = r"\(Orphan\) has parameters that no player trains, such as layer.weight: set its"
    with pytest.raises(InputError, match=f"regularizer/orphan {sentence}"):
        GANModule(
            tiny.generator(),
            tiny.TinyDiscriminator(),
            NonSaturatingLoss(),
            {"orphan": Orphan()},
        )
    with pytest.raises(InputError, match=f"a part {sentence}"):
        Adversary(
            tiny.TinyDiscriminator(),
            NonSaturatingLoss(),
            {"orphan": Orphan()},
            generator=tiny.generator(),
        )


def test_a_player_without_other_terms_trains_its_parts_alone():
    """MINE at a weight of 0 of the adversarial term: D's network rests, T does not."""
    family = FAMILIES["mine"]
    gan = family.gan(discriminator_weight=0.0, alternation=Alone(Player.DISCRIMINATOR))
    before = toys.weights(gan.discriminator)
    readings = Game(gan).play(family.batch())
    assert readings.phases == (Player.DISCRIMINATOR,)
    assert toys.same(before, toys.weights(gan.discriminator))
    assert gan.discriminator.passes == 0
