"""GANModule in a LightningCLI of a user's own, without a word of our command."""

import functools

import pytest
import torch
from pytorch_lightning.cli import LightningCLI

from lightning_gan import BatchKeys, GANModule
from lightning_gan.data import Digits

YAML = """
seed_everything: 1
trainer:
  max_steps: 3
  accelerator: cpu
  logger: false
  enable_progress_bar: false
  enable_model_summary: false
  default_root_dir: run
data: {batch_size: 64}
model:
"""
MODEL = """
  generator:
    class_path: lightning_gan.generators.mlp.MLPGenerator
    init_args: {sample_shape: [1, 8, 8], hidden: [4]}
  discriminator:
    class_path: lightning_gan.discriminators.mlp.MLPDiscriminator
    init_args: {sample_shape: [1, 8, 8], hidden: [4]}
  loss: lightning_gan.losses.non_saturating.NonSaturatingLoss
  generator_optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.25}}
  generator_lr_scheduler:
    class_path: torch.optim.lr_scheduler.StepLR
    init_args: {step_size: 2}
  head_weights: [0.5]
  ema: {class_path: lightning_gan.EMA, init_args: {half_life_kimg: 0.1}}
  schedules:
    generator_weight:
      class_path: lightning_gan.schedules.Piecewise
      init_args: {knots: [[0, 0], [0.1, 1]]}
"""
READER = [
    "prepare_batch=lightning_gan.BatchKeys",
    "prepare_batch.real=0",
    "prepare_batch.extra=[1]",
]


@pytest.mark.filterwarnings("ignore:The dirpath has changed:UserWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # how Lightning calls jsonargparse
@pytest.mark.filterwarnings("ignore:The dirpath has changed")
@pytest.mark.parametrize("mode", ["class", "subclass"])
def test_a_lightning_cli_of_ones_own(mode, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = MODEL
    if mode == "subclass":
        model = "  class_path: lightning_gan.GANModule\n  init_args:" + MODEL.replace("\n", "\n  ")
    (tmp_path / "own.yaml").write_text(YAML + model)

    def fit(*more):
        words = ["fit", "--config=own.yaml", *(f"--model.{word}" for word in READER), *more]
        monkeypatch.setattr("sys.argv", ["own.py", *words])
        return LightningCLI(GANModule, Digits, subclass_mode_model=mode == "subclass")

    gan = fit().model
    assert (gan.progress.discriminator_steps, gan.progress.generator_steps) == (3, 1)
    reader = gan.arguments()["prepare_batch"]
    assert isinstance(reader, BatchKeys)
    assert (reader.real, reader.y, reader.extra) == (0, None, [1])

    (path,) = (tmp_path / "run" / "checkpoints").glob("*.ckpt")
    restored = GANModule.load_from_checkpoint(path)
    made = restored.arguments()
    assert isinstance(made["generator_optimizer"], functools.partial)
    assert made["generator_optimizer"].func is torch.optim.SGD
    assert made["generator_optimizer"].keywords == {"lr": 0.25}
    assert made["generator_lr_scheduler"].keywords == {"step_size": 2}
    assert torch.equal(restored.sample(2, seed=0), gan.sample(2, seed=0))

    more = fit(f"--ckpt_path={path}", "--trainer.max_steps=5", "--trainer.default_root_dir=more")
    assert more.model.progress.batches == more.trainer.global_step == 5
    assert more.model.progress.generator_steps == 3


class LinkedCLI(LightningCLI):
    """The networks get the shape of the data."""

    def add_arguments_to_parser(self, parser):
        for network in ("generator", "discriminator"):
            parser.link_arguments(
                "data.sample_shape",
                f"model.{network}.init_args.sample_shape",
                apply_on="instantiate",
            )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The dirpath has changed")
def test_networks_take_their_shape_from_the_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(YAML + MODEL.replace("sample_shape: [1, 8, 8], ", ""))
    monkeypatch.setattr("sys.argv", ["own.py", "fit", "--config", "own.yaml"])
    cli = LinkedCLI(GANModule, Digits)
    assert cli.model.generator.sample_shape == (1, 8, 8)
    cli.trainer.save_checkpoint("a.ckpt")
    again = GANModule.load_from_checkpoint("a.ckpt")
    assert again.sample(2, seed=0).equal(cli.model.sample(2, seed=0))
