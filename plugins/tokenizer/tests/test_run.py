"""From the autoencoder alone to the game: phases, resume, two processes, halves, the command."""

import json
import sys
from importlib.metadata import entry_points
from itertools import pairwise

import pytest
import pytorch_lightning as pl
import torch
from conftest import data, gan, trainer
from lightning_gan_tokenizer import decoder, encoder
from lightning_gan_tokenizer.__main__ import main
from PIL import Image

from lightning_gan import create_generator


def states(module):
    return {key: x.clone() for key, x in module.state_dict().items() if isinstance(x, torch.Tensor)}


def furthest(one, other):
    assert one.keys() == other.keys()
    return max((one[key].double() - other[key].double()).abs().max().item() for key in one)


def test_d_begins_late_and_is_heard_later(tmp_path, images):
    class Watch(pl.Callback):
        def on_train_batch_end(self, *_):
            seen.append(states(module.discriminator))
            told.append("loss/generator" in module.latest_metrics)

    module = gan()
    seen, told = [states(module.discriminator)], []
    run = trainer(tmp_path, 5, callbacks=[Watch()], log_every_n_steps=1, limit_val_batches=0)
    run.fit(module, data(images))
    moved = [furthest(after, before) > 0 for before, after in pairwise(seen)]
    assert moved == [False, False, True, True, True]
    assert told == [False, False, False, True, True]
    assert module.latest_metrics["weight/generator/adversarial"] > 0
    assert 0 < module.latest_metrics["regularizer/codebook_use/used"] <= 1


@pytest.mark.parametrize("kind", ["vq", "kl"])
def test_a_run_goes_on_as_if_it_had_never_stopped(tmp_path, images, kind):
    """Also in the midst of a window of codes, with what is drawn."""
    quiet = {"callbacks": [], "limit_val_batches": 0}
    whole, first, resumed = gan(kind, 3), gan(kind, 3), gan(kind, 3)
    pl.seed_everything(1, verbose=False)
    trainer(tmp_path, 7, **quiet).fit(whole, data(images))
    pl.seed_everything(1, verbose=False)
    run = trainer(tmp_path, 4, **quiet)
    run.fit(first, data(images))
    run.save_checkpoint(tmp_path / "half.ckpt")
    trainer(tmp_path, 7, **quiet).fit(resumed, data(images), ckpt_path=tmp_path / "half.ckpt")
    assert furthest(states(whole), states(resumed)) == 0
    assert furthest(states(whole), states(first)) > 0


def test_two_processes_have_one_codebook(tmp_path, images):
    """After codes begin anew, drawn by each process, too."""
    quiet = {"callbacks": [], "limit_val_batches": 0, "num_sanity_val_steps": 0}

    class Both(pl.Callback):
        def on_train_batch_end(self, run, module, *_):
            if run.global_step < 2:
                return
            mine = torch.cat([x.flatten() for x in module.generator.parameters()]).detach()
            other = mine.clone()
            torch.distributed.broadcast(other, 0)
            assert mine.equal(other)

    two = gan()
    start = states(two)["generator.codebook.weight"]
    options = {"devices": 2, "strategy": "ddp_notebook_find_unused_parameters_true"}
    run = trainer(tmp_path, 4, **{**quiet, **options, "callbacks": [Both()]})
    run.fit(two, data(images, batch_size=2))
    moved = (states(two)["generator.codebook.weight"] - start).abs().amax(1)
    assert (moved > 0.1).any()


def test_held_out_scores(trained):
    network, _, logged = trained
    assert {"val/l1", "val/psnr", "val/sharpness"} <= logged.keys()
    assert logged["val/l1"] == pytest.approx(logged["val/regularizer/l1"].item(), rel=1e-4)
    has = hasattr(network, "codebook")
    assert ("val/codebook/used" in logged) == has
    if has:
        assert 1 <= logged["val/codebook/perplexity"] <= 12 * logged["val/codebook/used"] + 1e-3


def test_the_halves_alone_do_what_the_whole_does(trained, tmp_path, capsys):
    """Codes begun anew may be near each other, and rounding chooses: such images differ little."""
    network, path, _ = trained
    images = torch.rand(5, 3, 8, 12) * 2 - 1
    with torch.no_grad():
        made = network(torch.empty(5, 0), images)
    whole, own = made.samples, made.extra.get("codes", made.extra.get("mean"))
    assert own.shape[-2:] == (4, 6)
    torch.testing.assert_close(decoder(path)(own), whole, rtol=1e-4, atol=1e-5)
    codes = encoder(path)(images)
    assert (codes.dtype, codes.shape) == (own.dtype, own.shape)
    torch.testing.assert_close(decoder(path)(codes), whole, rtol=1e-3, atol=1e-3)
    parameters = sum(x.numel() for x in decoder(path).parameters())
    assert parameters < 0.7 * sum(x.numel() for x in network.parameters())
    words = ["export", str(path), str(tmp_path / "halves")]
    assert main(words) == 0
    first, second = (
        torch.export.load(tmp_path / "halves" / f"{half}.pt2").module()
        for half in ("encoder", "decoder")
    )
    torch.testing.assert_close(second(own), whole, rtol=1e-4, atol=1e-5)
    found = first(images)
    assert (found.dtype, found.shape) == (own.dtype, own.shape)
    torch.testing.assert_close(second(found), whole, rtol=1e-3, atol=1e-3)
    about = json.loads((tmp_path / "halves" / "tokenizer.json").read_text())
    assert about["images"]["shape"] == [3, 8, 8]
    if codes.dtype == torch.int64:
        assert about["codes"] == {"shape": [4, 4], "dtype": "int64", "values": 12}
    else:
        assert about["codes"] == {"shape": [2, 4, 4], "dtype": "float32"}
    capsys.readouterr()
    assert main(words) == 2
    assert "exists and is not empty; choose another folder" in capsys.readouterr().err


def test_other_generators_have_no_halves(monkeypatch):
    class Loaded:
        generator = create_generator("mlp", sample_shape=(1, 4, 4))

    monkeypatch.setattr("lightning_gan_tokenizer.halves.load_generator", lambda _: Loaded)
    with pytest.raises(ValueError, match="expected a vq_autoencoder or a kl_autoencoder at here"):
        decoder("here")


@pytest.mark.parametrize("kind", ["vq", "kl"])
def test_the_experiments_from_the_command(images, tmp_path, monkeypatch, kind):
    (found,) = entry_points(group="console_scripts", name="lightning-gan")
    program = found.load()
    monkeypatch.chdir(tmp_path)

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["lightning-gan", *map(str, words)])
        assert program() == 0

    command(
        "fit", f"experiment=tokenizer_{kind}", "data=folder", f"data.root={images}",
        "data.batch_size=4", "model.generator.hidden_channels=4", "model.generator.levels=1",
        "model.discriminator.base_channels=2", "model.discriminator.layers=1",
        "model.alternation.kimg=0", "model.schedules.generator_weight.kimg=0.004",
        "trainer.max_steps=3", "trainer.val_check_interval=3", "curves=null", "health=null",
    )  # fmt: skip
    run = tmp_path / "runs" / f"tokenizer_{kind}" / "version_0"
    header = (run / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"val/l1", "val/psnr", "weight/generator/adversarial"} <= set(header)
    command("translate", run, images, tmp_path / "made")
    made = sorted((tmp_path / "made").glob("*.png"))
    assert len(made) == 16
    with Image.open(made[0]) as picture:
        assert picture.size == (8, 8)
