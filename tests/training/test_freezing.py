"""Parameters that are not trained: chosen by pattern, remembered by files, spared by every step."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import toys

from lightning_gan import EMA, Alternation, GANModule, InputError, Player
from lightning_gan.game.freezing import frozen_names

ALL_OF_D = [
    "discriminator.layers.0.weight",
    "discriminator.layers.0.bias",
    "discriminator.head.weight",
    "discriminator.head.bias",
]


class GeneratorAlone(Alternation):
    def phases(self, progress):
        return (Player.GENERATOR,)


def copies(gan):
    return {name: parameter.detach().clone() for name, parameter in gan.named_parameters()}


def frozen(gan):
    return frozen_names(gan.generator, gan.discriminator)


def saved(folder, gan, steps=2):
    """Train a module and return the path of its checkpoint."""
    run = toys.fit(folder, gan, steps=steps)
    run.save_checkpoint(folder / "a.ckpt", weights_only=False)
    return folder / "a.ckpt"


def resumed(folder, gan, path, steps):
    run = toys.trainer(folder, max_steps=steps)
    run.fit(gan, toys.loader(), ckpt_path=path)
    return run


# Choosing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["discriminator"], ALL_OF_D),
        (["discriminator.layers"], ALL_OF_D[:2]),
        (["discriminator.layers.0.weight"], ALL_OF_D[:1]),
        (["generator.*.bias"], ["generator.layers.0.bias", "generator.layers.2.bias"]),
        (["*.head", "discriminator.layers.?.bias"], ALL_OF_D[1:]),
        (["discriminator.*", "discriminator.head"], ALL_OF_D),
        ([], []),
    ],
)
def test_patterns_choose_what_rests_and_nothing_else_moves(tmp_path, patterns, names):
    alternation = GeneratorAlone() if names == ALL_OF_D else None
    gan = toys.gan(freeze=patterns, alternation=alternation)
    assert frozen(gan) == names
    before = copies(gan)
    toys.fit(tmp_path, gan, steps=2)
    assert [name for name, p in gan.named_parameters() if torch.equal(p, before[name])] == names
    assert frozen(gan) == names


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "discriminator.layer",
            r"freeze: 'discriminator.layer' names no parameter, did you mean "
            r"'discriminator.layers.0'\? Modules with parameters: discriminator.head, "
            "discriminator.layers.0, generator.layers.0, generator.layers.2$",
        ),
        ("xyz", r"freeze: 'xyz' names no parameter\. Modules with parameters: "),
        ("layers.0", "freeze: 'layers.0' names no parameter, did you mean 'generator.layers.0'"),
    ],
)
def test_a_pattern_of_nothing_is_refused(pattern, message):
    with pytest.raises(InputError, match=message):
        toys.gan(freeze=[pattern])


def test_the_average_and_the_gradient_know_nothing_of_it(tmp_path):
    """What is frozen in the generator has no gradient in its own update, and is copied."""
    gan = toys.gan(freeze=["generator.layers.0"], ema=EMA(half_life_kimg=0.0))
    toys.fit(tmp_path, gan, steps=2)
    first, *_, last = gan.generator.parameters()
    assert first.grad is None
    assert last.grad is not None
    assert toys.same(toys.weights(gan.generator), toys.weights(gan.generator_ema))


# Files ------------------------------------------------------------------------------------------


def by_hand(gan):
    gan.discriminator.requires_grad_(False)
    return gan


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: toys.gan(freeze=["generator.*.bias", "discriminator.head"]), None),
        (lambda: by_hand(toys.gan(alternation=GeneratorAlone())), ALL_OF_D),
    ],
    ids=["by pattern", "by hand"],
)
def test_a_loaded_module_remembers(tmp_path, make, names):
    gan = make()
    loaded = GANModule.load_from_checkpoint(saved(tmp_path, gan))
    assert frozen(loaded) == frozen(gan)
    assert frozen(loaded) == (names or frozen(gan))
    assert frozen(loaded)
    before = copies(loaded)
    toys.fit(tmp_path, loaded, steps=2)  # a training of its own
    still = [name for name, p in loaded.named_parameters() if torch.equal(p, before[name])]
    assert still == frozen(gan)
    assert loaded.progress.generator_steps == 4


def test_a_resumed_module_remembers_and_goes_on_as_if_nothing_had_happened(tmp_path):
    def make():
        torch.manual_seed(0)
        return toys.gan(alternation=GeneratorAlone(), prior=toys.CountingPrior())

    whole = by_hand(make())
    toys.fit(tmp_path, whole, steps=8)
    path = saved(tmp_path, by_hand(make()), steps=4)
    again = make()  # nobody freezes it
    again.prior.drawn = 32
    with pytest.warns(UserWarning, match="4 parameters such as .* stay frozen"):
        run = resumed(tmp_path, again, path, steps=8)
    assert frozen(again) == ALL_OF_D
    assert len(run.optimizers) == 1
    assert toys.same(copies(whole), copies(again))


@pytest.mark.parametrize(
    ("freeze", "names"), [([], []), (None, []), (["discriminator.layers"], ALL_OF_D[:2])]
)
def test_who_loads_a_module_may_freeze_something_else(tmp_path, freeze, names):
    path = saved(tmp_path, toys.gan(freeze=["discriminator.head"]))
    loaded = GANModule.load_from_checkpoint(path, freeze=freeze)
    assert frozen(loaded) == names


def test_what_was_thawed_by_hand_is_not_frozen_again_by_a_resume(tmp_path):
    def make():
        gan = toys.gan(freeze=["discriminator.layers"])
        gan.discriminator.requires_grad_(True)
        return gan

    path = saved(tmp_path, make(), steps=4)
    again = make()
    resumed(tmp_path, again, path, steps=8)
    assert frozen(again) == []


@pytest.mark.parametrize("player", list(Player))
def test_a_training_that_froze_something_else_is_told(tmp_path, player):
    name = {Player.GENERATOR: "generator.layers.0", Player.DISCRIMINATOR: "discriminator.head"}
    path = saved(tmp_path, toys.gan())
    message = (
        f"{player.value}_optimizer: the checkpoint trains 4 parameters in group 0, and 2 are "
        "trained now; freeze what was frozen then, or begin a new training from its weights"
    )
    with pytest.raises(InputError, match=message):
        resumed(tmp_path, toys.gan(freeze=[name[player]]), path, steps=4)


# A whole network --------------------------------------------------------------------------------


def test_a_network_that_rests_as_a_whole_has_no_optimizer(tmp_path):
    decay = partial(torch.optim.lr_scheduler.StepLR, step_size=1)
    gan = toys.gan(
        freeze=["discriminator"],
        alternation=GeneratorAlone(),
        generator_lr_scheduler=decay,
        discriminator_lr_scheduler=decay,
        discriminator_clip_norm=1.0,
    )
    before = toys.weights(gan.discriminator)
    run = toys.fit(tmp_path, gan, steps=3)
    assert len(run.optimizers) == len(run.lr_scheduler_configs) == 1
    assert gan.session.game.discriminator.optimizer is None
    assert toys.same(before, toys.weights(gan.discriminator))
    assert (gan.progress.generator_steps, gan.progress.discriminator_steps) == (3, 0)
    assert "skipped/discriminator" not in gan.latest_metrics


@pytest.mark.parametrize("player", list(Player))
def test_it_cannot_be_made_to_step(tmp_path, player):
    gan = toys.gan(freeze=[player.value])
    message = (
        f"Alternation lets the {player.value} step, and all of it is frozen: thaw some of it, or "
        "choose an alternation in which it does not step"
    )
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, gan, steps=1)
    assert gan.progress.batches == 0


def test_what_stays_frozen_when_training_goes_on_is_said(tmp_path):
    path = saved(tmp_path, toys.gan(freeze=["discriminator.head"]), steps=4)
    sentence = "2 parameters such as discriminator.head.weight stay frozen, as they were when"
    with pytest.warns(UserWarning, match=sentence):
        resumed(tmp_path, toys.gan(), path, steps=6)
    resumed(tmp_path, toys.gan(freeze=["discriminator.head"]), path, steps=6)
