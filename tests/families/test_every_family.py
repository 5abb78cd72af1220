"""Every family: passes of the discriminator, validation, exact resume, a file that stands alone."""

from __future__ import annotations

import pytest
import torch
import toys
from families import FAMILIES

from lightning_gan import Alternation, Game, GANModule, Player
from lightning_gan.alternations.loss_threshold import LossThreshold


@pytest.mark.parametrize("name", FAMILIES)
def test_passes_of_the_discriminator(name):
    family = FAMILIES[name]
    gan = family.gan()
    game, passes = Game(gan), []
    for seed in range(4):
        before = gan.discriminator.passes
        game.play(*gan.read(family.batch(seed=seed)))
        passes.append(gan.discriminator.passes - before)
    assert passes == [family.passes] * 4


@pytest.mark.parametrize("name", FAMILIES)
def test_resume_is_exact_across_validation(name, tmp_path):
    family, options = FAMILIES[name], {"val_check_interval": 3, "check_val_every_n_epoch": None}

    def train(steps, ckpt_path=None):
        gan, run = family.gan(), toys.trainer(tmp_path, max_steps=steps, **options)
        run.fit(gan, family.data(), ckpt_path=ckpt_path, weights_only=ckpt_path and True)
        return gan, run

    whole, run = train(6)
    train(2)[1].save_checkpoint(tmp_path / "stopped.ckpt")
    resumed, rest = train(6, tmp_path / "stopped.ckpt")
    assert toys.same(tensors(whole), tensors(resumed))
    assert all(torch.isfinite(value).all() for value in tensors(whole).values())
    validated = {key for key in run.callback_metrics if key.startswith("val/")}
    assert validated
    for key, value in run.callback_metrics.items():
        assert torch.equal(value, rest.callback_metrics[key]), key
    loaded = GANModule.load_from_checkpoint(tmp_path / "stopped.ckpt")
    assert tensors(loaded).keys() == tensors(whole).keys()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_player_that_rests_is_measured(name):
    """Whatever a loss replaced or picked for the other player's update."""
    family = FAMILIES[name]
    gan = family.gan(alternation=LossThreshold(max_d_steps=1, max_g_steps=2, g_above=1e9))
    game = Game(gan)
    for seed in range(3):
        readings = game.play(*gan.read(family.batch(seed=seed)))
    assert readings.phases == (Player.GENERATOR,)
    assert gan.progress.generator_steps == 2
    if family.passes:
        assert readings.discriminator.loss.isfinite()


class Rest(Alternation):
    """Nobody steps, and both are measured."""

    observes = True
    measures = frozenset(Player)

    def phases(self, progress):
        return ()


@pytest.mark.parametrize("name", FAMILIES)
def test_both_are_measured_where_nobody_steps(name):
    family = FAMILIES[name]
    gan = family.gan(alternation=Rest())
    before = tensors(gan)
    readings = Game(gan).play(*gan.read(family.batch()))
    assert readings.generator.loss.isfinite()
    assert readings.discriminator.loss.isfinite()
    observed = {f"{part}.{name}" for part, each in parts_that_observe(gan) for name in each}
    changed = {key for key, value in tensors(gan).items() if not value.equal(before[key])}
    assert changed <= observed


def parts_that_observe(gan):
    """Names of parts that observe, and of their buffers."""
    found = {"loss": gan.loss, "augment": gan.augment}
    found |= {f"regularizers.{name}": part for name, part in gan.regularizers.items()}
    return [(n, dict(part.named_buffers())) for n, part in found.items() if part.observes]


@pytest.mark.parametrize("precision", ["bfloat16", "float64"])
@pytest.mark.parametrize("name", FAMILIES)
def test_precision_of_the_game(name, precision):
    """Under autocast, and in double precision throughout."""
    family, dtype = FAMILIES[name], getattr(torch, precision)
    gan = family.gan()
    if dtype is torch.float64:
        gan.double()
    types = {name: value.dtype for name, value in tensors(gan).items()}
    game = Game(gan)
    for seed in range(3):
        batch = family.batch(seed=seed, dtype=next(gan.parameters()).dtype)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
            game.play(*gan.read(batch))
    assert types == {name: value.dtype for name, value in tensors(gan).items()}
    assert all(value.isfinite().all() for value in tensors(gan).values())


def tensors(module):
    """Weights and buffers of networks, average and parts."""
    return {name: x for name, x in module.state_dict().items() if isinstance(x, torch.Tensor)}
