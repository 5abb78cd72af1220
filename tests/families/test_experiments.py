"""Whole experiments train, validate and go on exactly where they were stopped."""

from __future__ import annotations

from pathlib import Path

import forked
import pytest
import torch
import toys
from experiments import EXPERIMENTS, fit, tokenizer, translation, vocoder
from experiments_job import state

from lightning_gan import Game


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_stopped_runs_go_on_exactly(name, tmp_path):
    make = EXPERIMENTS[name]
    whole, run = fit(make, tmp_path, 10)
    fit(make, tmp_path, 4)[1].save_checkpoint(tmp_path / "stopped.ckpt")
    resumed, rest = fit(make, tmp_path, 10, ckpt_path=tmp_path / "stopped.ckpt")
    ours, theirs = state(whole), state(resumed)
    assert {key.partition(".")[0] for key in ours} >= {
        "generator",
        "generator_ema",
        "discriminator",
    }
    assert toys.same(ours, theirs)
    assert not toys.same(toys.weights(whole.generator), toys.weights(whole.generator_ema))
    assert 0 < run.callback_metrics["val/psnr"] < 30
    for key, value in run.callback_metrics.items():
        assert torch.equal(value, rest.callback_metrics[key]), key
    for before, after in zip(run.optimizers, rest.optimizers, strict=True):
        moments = after.state_dict()["state"]
        for key, each in before.state_dict()["state"].items():
            assert all(torch.equal(each[name], moments[key][name]) for name in each)


def test_the_discriminator_of_the_tokenizer_starts_late():
    """It rests for 24 images, is trained alone until 48, and plays from then on."""
    torch.manual_seed(0)
    gan, data = tokenizer()
    data.setup()
    passes = []
    gan.discriminator.register_forward_hook(lambda *_: passes.append(1))
    game, batches, told = Game(gan), iter(data.train_dataloader()), []
    for _ in range(8):
        passes.clear()
        before = toys.weights(gan.discriminator)
        readings = game.play(*gan.read(next(batches)))
        moved = not toys.same(before, toys.weights(gan.discriminator))
        told.append((len(passes), moved, "adversarial" in readings.generator.factors))
    rests, learns, plays = (0, False, False), (2, True, False), (3, True, True)
    assert told == [rests] * 3 + [learns] * 3 + [plays] * 2
    factor = readings.generator.factors["adversarial"]
    assert factor == gan.balance.latest * 0.8
    assert factor != 0.8


def test_the_vocoder_makes_waves_of_any_length():
    gan, _ = vocoder()
    for frames in (8, 20):
        wave = gan.sample(2, labels=torch.rand(2, 4, frames))
        assert wave.shape == (2, 1, 4 * frames)


def test_two_lists_of_discriminators_are_summed():
    torch.manual_seed(0)
    gan, _ = vocoder()
    batch = {"wave": torch.rand(4, 1, 32), "mel": torch.rand(4, 4, 8)}
    seen = []
    gan.discriminator.register_forward_hook(lambda *given: seen.append(given[2].heads))
    readings = Game(gan).play(*gan.read(batch))
    real, fake = seen[0], seen[1]
    assert len(real) == 4
    losses = [gan.loss.discriminator(r, f).mean() for r, f in zip(real, fake, strict=True)]
    torch.testing.assert_close(readings.discriminator.loss, sum(losses).detach())


def test_the_translation_counts_only_what_the_mask_shows():
    torch.manual_seed(0)
    gan, _ = translation()
    batch = {name: torch.rand(4, 1, 6, 6) * 2 - 1 for name in ("photo", "sketch", "mask")}
    batch["mask"] -= 2
    assert Game(gan).play(*gan.read(batch)).generator.terms["l1"] == 0


def test_two_processes_go_on_exactly_each_with_a_pool_of_its_own(tmp_path):
    forked.in_two(Path(__file__).with_name("experiments_job.py"), "translation", tmp_path)
    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    for rank in ranks:
        assert toys.same(rank["whole"]["state"], rank["resumed"]["state"])
        assert torch.equal(rank["whole"]["psnr"], rank["resumed"]["psnr"])
    zero, one = (rank["whole"]["state"] for rank in ranks)
    different = {name for name in zero if not torch.equal(zero[name], one[name])}
    assert different == {"loss.pool"}
