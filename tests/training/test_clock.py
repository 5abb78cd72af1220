"""One batch is one step, whatever Lightning counts by itself."""

from __future__ import annotations

import csv

import pytest
import pytorch_lightning as pl
import torch
import toys
from pytorch_lightning.loggers import CSVLogger

from lightning_gan import Alternation
from lightning_gan.alternations.alternating import Alternating


class NoPhases(Alternation):
    def phases(self, progress):
        return ()


class Plain(pl.LightningModule):
    """Two optimizers that both step, as any manual-optimization module would."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.a, self.b = torch.nn.Linear(16, 1), torch.nn.Linear(16, 1)

    def configure_optimizers(self):
        return [torch.optim.SGD(net.parameters(), 0.1) for net in (self.a, self.b)]

    def training_step(self, batch, batch_idx):
        for optimizer in self.optimizers():
            optimizer.step()


def test_lightning_alone_counts_every_optimizer_step(tmp_path):
    run = toys.trainer(tmp_path, max_epochs=1)
    run.fit(Plain(), toys.loader())
    assert run.global_step == 8, "Lightning counts batches now: clock.py may go"


@pytest.mark.parametrize(
    ("alternation", "d_steps", "g_steps"),
    [
        (Alternating(), 7, 7),
        (Alternating(d_steps=5), 7, 1),
        (Alternating(d_steps=2, g_steps=3), 7, 9),
        (NoPhases(), 0, 0),
    ],
)
def test_one_batch_is_one_step(tmp_path, alternation, d_steps, g_steps):
    gan = toys.gan(alternation=alternation)
    run = toys.fit(tmp_path, gan, steps=7)
    assert run.global_step == 7
    assert gan.progress.batches == 7
    assert (gan.progress.discriminator_steps, gan.progress.generator_steps) == (d_steps, g_steps)
    assert gan.progress.images == 7 * 8


def test_loggers_count_batches_whatever_lightning_has_counted(tmp_path):
    class Ahead(pl.Callback):
        """Counts one batch too many, as Lightning does on resuming at an epoch's end."""

        def on_train_start(self, trainer, pl_module):
            trainer.fit_loop.epoch_loop._batches_that_stepped += 1

    logger = CSVLogger(tmp_path, name="", version=0)
    toys.fit(tmp_path, toys.gan(), 4, logger=logger, log_every_n_steps=2, callbacks=[Ahead()])
    with (tmp_path / "version_0" / "metrics.csv").open() as file:
        steps = [row["step"] for row in csv.DictReader(file) if row["loss/generator"]]
    assert steps == ["1", "3"]


def test_rounds_count_the_turns(tmp_path):
    gan = toys.gan(alternation=Alternating(d_steps=2, g_steps=2))
    toys.fit(tmp_path, gan, steps=7)
    assert gan.progress.rounds == 3


def test_validation_and_checkpoints_follow_batches(tmp_path):
    checkpoint = pl.callbacks.ModelCheckpoint(
        tmp_path, filename="{step}", every_n_train_steps=3, save_top_k=-1
    )
    gan = toys.gan(alternation=Alternating(d_steps=2))
    toys.fit(tmp_path, gan, steps=7, enable_checkpointing=True, callbacks=[checkpoint])
    assert sorted(path.name for path in tmp_path.glob("*.ckpt")) == ["step=3.ckpt", "step=6.ckpt"]
