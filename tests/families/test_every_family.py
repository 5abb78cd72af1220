"""Every family: passes of the discriminator, validation, exact resume, a file that stands alone."""

from __future__ import annotations

import pytest
import torch
import toys
from families import FAMILIES

from lightning_gan import Game, GANModule, Player
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


def tensors(module):
    """Weights and buffers of networks, average and parts."""
    return {name: x for name, x in module.state_dict().items() if isinstance(x, torch.Tensor)}
