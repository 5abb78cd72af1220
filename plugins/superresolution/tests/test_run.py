"""From pretraining to large images: phases, resume, two processes, files, the command."""

import sys
from importlib.metadata import entry_points
from itertools import pairwise

import numpy as np
import pytorch_lightning as pl
import torch
from conftest import data, gan, trainer
from lightning_gan_superresolution import FeatureDistance, FeatureNetwork, RRDBGenerator
from PIL import Image
from safetensors.torch import save_file

from lightning_gan import GANModule, create_discriminator, create_loss, load_generator
from lightning_gan.export.publish import publish
from lightning_gan.sampling.translation import translate


def states(module):
    return {key: x.clone() for key, x in module.state_dict().items() if isinstance(x, torch.Tensor)}


def furthest(one, other):
    assert one.keys() == other.keys()
    return max((one[key].double() - other[key].double()).abs().max().item() for key in one)


def test_pretraining_and_the_game_are_one_run(tmp_path, images):
    """Batches of 4: D rests for two batches, G is told by D from the fourth on."""

    def now():
        return {"D": states(module.discriminator), "G": states(module.generator)}

    class Watch(pl.Callback):
        def on_train_batch_end(self, *_):
            seen.append(now())
            told.append(
                {"loss/generator", "regularizer/feature_distance"} <= {*module.latest_metrics}
            )

    module = gan()
    seen, told = [now()], []
    run = trainer(tmp_path, 4, callbacks=[Watch()], log_every_n_steps=1)
    run.fit(module, data(images))
    moved = [
        {who: furthest(after[who], earlier[who]) > 0 for who in "DG"}
        for earlier, after in pairwise(seen)
    ]
    assert [step["D"] for step in moved] == [False, False, True, True]
    assert [step["G"] for step in moved] == [True] * 4
    assert told == [False, False, False, True]
    assert module.latest_metrics["regularizer/feature_distance"] > 0


def test_a_run_goes_on_as_if_it_had_never_stopped(tmp_path, images):
    whole = gan()
    trainer(tmp_path / "whole", 6).fit(whole, data(images))
    first = gan()
    run = trainer(tmp_path / "first", 3)
    run.fit(first, data(images))
    run.save_checkpoint(tmp_path / "half.ckpt")
    resumed = gan()
    trainer(tmp_path / "first", 6).fit(resumed, data(images), ckpt_path=tmp_path / "half.ckpt")
    assert furthest(states(whole), states(resumed)) == 0


def test_two_processes_learn_what_one_does(tmp_path, images):
    one, two = gan(), gan()
    start = states(one)
    options = {"callbacks": [], "limit_val_batches": 0, "num_sanity_val_steps": 0}
    trainer(tmp_path / "one", 3, **options).fit(one, data(images, batch_size=4))
    parallel = {**options, "devices": 2, "strategy": "ddp_notebook_find_unused_parameters_true"}
    trainer(tmp_path / "two", 3, **parallel).fit(two, data(images, batch_size=2))
    assert furthest(states(one), states(two)) < 1e-5
    assert furthest(start, states(one)) > 1e-4


def test_large_images_in_tiles_are_those_of_one_piece(trained):
    """Far from the edges of tiles: what the network sees is smaller than the overlap."""
    network, run = trained
    loaded = load_generator(run)
    assert isinstance(loaded.generator, RRDBGenerator)
    image = torch.rand(3, 40, 28) * 2 - 1
    whole = translate(loaded, image)
    assert whole.shape == (3, 80, 56)
    with torch.no_grad():
        assert torch.allclose(whole, network(torch.empty(1, 0), image[None])[0], atol=1e-5)
    tiled = translate(loaded, image, tile=24, overlap=12)
    assert (tiled - whole).abs().max() < 0.2 * whole.std()
    odd = translate(loaded, image[:, :7, :9])
    assert odd.shape == (3, 14, 18)


def test_it_is_exported_for_images_of_any_even_size(trained, tmp_path):
    module = GANModule.load_from_checkpoint(trained[1])
    publish(module, tmp_path / "made", ["torch_export"])
    y = torch.rand(2, 3, 10, 6) * 2 - 1
    made = torch.export.load(tmp_path / "made" / "generator.pt2").module()(y)
    with torch.no_grad():
        assert torch.allclose(made, trained[0](torch.empty(2, 0), y), atol=1e-5)


def test_a_checkpoint_needs_none_of_the_files_that_networks_began_with(tmp_path, images):
    """Weights of the generator and of the features come from it; both files are gone."""
    begun, own = tmp_path / "begun.pth", tmp_path / "own.safetensors"
    torch.save(RRDBGenerator((3, 16, 16), 2, 4, 1, 2).state_dict(), begun)
    save_file(FeatureNetwork().state_dict(), own)
    module = GANModule(
        generator=RRDBGenerator((3, 16, 16), 2, 4, 1, 2, weights_file=str(begun)),
        discriminator=create_discriminator("unet", sample_shape=(3, 16, 16), base_channels=2),
        loss=create_loss("non_saturating"),
        regularizers={"feature_distance": FeatureDistance(features_file=str(own))},
    )
    run = trainer(tmp_path, 1)
    run.fit(module, data(images))
    run.save_checkpoint(tmp_path / "last.ckpt")
    begun.unlink()
    own.unlink()
    again = GANModule.load_from_checkpoint(tmp_path / "last.ckpt")
    assert furthest(states(module), states(again)) == 0


SMALL = [
    "model.generator.base_channels=4", "model.generator.blocks=1",
    "model.generator.growth_channels=2", "model.discriminator.base_channels=2",
    "data.data.batch_size=4", "trainer.val_check_interval=2", "samples=null", "curves=null",
]  # fmt: skip


def test_the_experiment_from_the_command(images, tmp_path, monkeypatch):
    (found,) = entry_points(group="console_scripts", name="lightning-gan")
    program = found.load()
    monkeypatch.chdir(tmp_path)

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["lightning-gan", *map(str, words)])
        assert program() == 0

    fit = ("fit", "experiment=superresolution", f"data.data.root={images}", "trainer.max_steps=4")
    command(*fit, *SMALL)
    run = tmp_path / "runs" / "superresolution" / "version_0"
    header = (run / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"val/psnr", "val/bicubic_psnr", "val/perceptual", "val/sharpness"} <= set(header)
    command("translate", run, images, tmp_path / "large")
    made = sorted((tmp_path / "large").glob("*.png"))
    assert len(made) == 16
    assert np.array(Image.open(made[0])).shape == (32, 32, 3)
