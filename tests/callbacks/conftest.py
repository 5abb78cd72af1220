"""A module with GANModule's surface and no network, and short trainings on the CPU."""

from __future__ import annotations

import dataclasses
import types

import pytest
import pytorch_lightning as pl
import torch

from lightning_gan.types import Progress

BATCH = 4


class FakeGAN(pl.LightningModule):
    """Samples show their class as a gray level (0 black, K-1 white), or seeded noise."""

    def __init__(self, sample_shape=(1, 8, 8), num_classes=None, losses=None):
        super().__init__()
        self.generator = types.SimpleNamespace(sample_shape=sample_shape, num_classes=num_classes)
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.losses = losses or (lambda step: {"loss/discriminator": 1.0, "loss/generator": 2.0})
        self.progress = Progress()
        self.latest_metrics = {}
        self.latest_metrics_step = 0
        self.sampled_with = []

    def sample(self, n, labels=None, seed=None):
        self.sampled_with.append((n, labels, seed))
        shape = (n, *self.generator.sample_shape)
        noise = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1
        if labels is None:
            return noise
        gray = labels / (self.generator.num_classes - 1) * 2 - 1
        return gray.view(-1, *[1] * (len(shape) - 1)).expand(shape)

    def training_step(self, batch, batch_idx):
        images = self.progress.images + len(batch)
        self.progress = dataclasses.replace(self.progress, images=images)
        step = self.trainer.global_step + 1
        if step % self.trainer.log_every_n_steps == 0:
            self._publish(step)
        return self.weight.sum()

    def on_train_end(self):
        self._publish(self.trainer.global_step)

    def predict_step(self, batch, batch_idx, dataloader_idx=0):
        x, y = batch if isinstance(batch, (tuple, list)) else (batch, None)
        return self.sample(len(x), labels=y, seed=batch_idx)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def _publish(self, step):
        self.latest_metrics = {key: torch.tensor(v) for key, v in self.losses(step).items()}
        self.latest_metrics_step = step


class Batches:
    """A loader of equal batches; Lightning takes any iterable (a list would be many loaders)."""

    def __init__(self, sample_shape, count):
        self.batch, self.count = torch.zeros(BATCH, *sample_shape), count

    def __len__(self):
        return self.count

    def __iter__(self):
        return (self.batch for _ in range(self.count))

    def state_dict(self):  # resumable, as far as Lightning asks
        return {}

    def load_state_dict(self, state):
        pass


@pytest.fixture
def fake_gan():
    return FakeGAN


@pytest.fixture
def make_trainer(tmp_path):
    def make(*callbacks, **options):
        defaults = {
            "accelerator": "cpu",
            "default_root_dir": tmp_path,
            "logger": False,
            "max_steps": 5,
            "log_every_n_steps": 1,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
        }
        return pl.Trainer(callbacks=list(callbacks), **{**defaults, **options})

    return make


@pytest.fixture
def fit(make_trainer):
    """Train for a few batches; return the trainer. Options go to it, ckpt_path to its fit."""

    def run(gan, *callbacks, ckpt_path=None, batches=5, **options):
        trainer = make_trainer(*callbacks, **options)
        trainer.fit(gan, Batches(gan.generator.sample_shape, batches), ckpt_path=ckpt_path)
        return trainer

    return run
