"""Every logger gets the arguments of a module, flat; the command's settings as they are typed."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import toys
import yaml
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from lightning_gan import EMA, BatchKeys
from lightning_gan.callbacks.saved_settings import SavedSettings, as_typed
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.training.hyperparameters import of_module

TEXT = """
seed_everything: 3
trainer:
  max_steps: 7
  logger: null
  callbacks:
  - class_path: pytorch_lightning.callbacks.Timer
    init_args: {interval: step}
model:
  class_path: lightning_gan.training.module.GANModule
  init_args:
    generator:
      class_path: lightning_gan.generators.mlp.MLPGenerator
      init_args: {latent_dim: 5, hidden: [8, 16]}
    regularizers:
      r1:
        class_path: lightning_gan.regularizers.r1.R1Regularizer
        init_args: {weight: 2.0}
    schedules: {}
data:
  class_path: somebody.Data
  init_args: {batch_size: 4}
  dict_kwargs: {more: true}
"""
TYPED = {
    "seed_everything": 3,
    "trainer.max_steps": 7,
    "trainer.callbacks.0": "pytorch_lightning.callbacks.Timer",
    "trainer.callbacks.0.interval": "step",
    "model": "lightning_gan.training.module.GANModule",
    "model.generator": "mlp",
    "model.generator.latent_dim": 5,
    "model.generator.hidden": "[8,16]",
    "model.regularizers.r1": "r1",
    "model.regularizers.r1.weight": 2.0,
    "data": "somebody.Data",
    "data.batch_size": 4,
    "data.dict_kwargs.more": True,
}


def fit(tmp_path, gan, **options):
    loggers = [
        CSVLogger(tmp_path, name="", version=0),
        TensorBoardLogger(tmp_path, name="", version=0, default_hp_metric=False),
    ]
    toys.fit(tmp_path, gan, steps=1, logger=loggers, **options)
    return tmp_path / "version_0"


def in_csv(folder):
    return yaml.safe_load((folder / "hparams.yaml").read_text())


def in_tensorboard(folder):
    """Return what TensorBoard's page of hyperparameters shows."""
    events = EventAccumulator(str(folder)).Reload()
    assert "hp_metric" not in events.Tags()["scalars"]
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    given = HParamsPluginData.FromString(content).session_start_info.hparams
    return {key: getattr(value, value.WhichOneof("kind")) for key, value in given.items()}


def test_arguments_of_a_module(tmp_path):
    gan = toys.gan(
        ema=EMA(half_life_kimg=3.0),
        regularizers={"r1": R1Regularizer(weight=2.0)},
        generator_optimizer=partial(torch.optim.SGD, lr=0.5),
        discriminator_optimizer=torch.optim.SGD,
        prepare_batch=BatchKeys(real=0),
        freeze=["generator.layers.0"],
    )
    folder = fit(tmp_path, gan)
    found = in_csv(folder)
    expected = {
        "generator": "MLPGenerator",
        "generator.latent_dim": 3,
        "generator.sample_shape": "[1,4,4]",
        "generator.slope": 0.2,  # a default
        "loss": "NonSaturatingLoss",
        "regularizers.r1": "R1Regularizer",
        "regularizers.r1.weight": 2.0,
        "ema.half_life_kimg": 3.0,
        "generator_optimizer": "SGD",
        "generator_optimizer.lr": 0.5,
        "discriminator_optimizer": "SGD",
        "prepare_batch": "BatchKeys",
        "freeze": "[generator.layers.0]",
        "micro_batches": 1,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert "generator_lr_scheduler" not in found  # nothing was set
    assert in_tensorboard(folder) == found


def test_settings_of_the_command(tmp_path):
    folder = fit(tmp_path, toys.gan(), callbacks=[SavedSettings(TEXT, ["config.yaml"])])
    assert (folder / "config.yaml").read_text() == TEXT
    assert in_csv(folder) == in_tensorboard(folder) == TYPED
    assert as_typed(yaml.safe_load(TEXT)) == TYPED


def test_two_runs_can_be_told_apart():
    first, second = (toys.gan(generator=toys.generator(latent_dim=n)) for n in (3, 4))
    one, two = of_module(first), of_module(second)
    assert {key for key in one if one[key] != two[key]} == {"generator.latent_dim"}


def test_a_trainer_may_ask_for_none(tmp_path):
    folder = fit(tmp_path, toys.gan(), enable_autolog_hparams=False)
    assert not in_csv(folder)
    tags = EventAccumulator(str(folder)).Reload().summary_metadata
    assert "_hparams_/session_start_info" not in tags


def test_offline_wandb(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    from pytorch_lightning.loggers import WandbLogger

    logger = WandbLogger(save_dir=tmp_path, offline=True)
    try:
        toys.fit(tmp_path, toys.gan(), steps=1, logger=logger)
        assert dict(logger.experiment.config)["generator.latent_dim"] == 3
    finally:
        wandb.finish()
