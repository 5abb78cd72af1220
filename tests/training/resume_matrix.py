"""Run by test_resume_matrix.py, in one or two processes: trainings whole, stopped and resumed.

``whole`` trains every row of the table twice, once to the end and once to its stop;
``resume`` goes on from the stop, in a new process. What is left is compared by the test.
"""

from __future__ import annotations

import sys
import warnings
from functools import partial
from pathlib import Path

import torch

warnings.simplefilter("ignore")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402
import toys  # noqa: E402
from PIL import Image  # noqa: E402
from pytorch_lightning.loggers import CSVLogger  # noqa: E402
from torch.optim import Adam, RMSprop  # noqa: E402
from torch.optim.lr_scheduler import CosineAnnealingLR  # noqa: E402

from lightning_gan import EMA  # noqa: E402
from lightning_gan.alternations.alternating import Alternating  # noqa: E402
from lightning_gan.alternations.loss_threshold import LossThreshold  # noqa: E402
from lightning_gan.callbacks import (  # noqa: E402
    HealthMonitor,
    RunCheckpoint,
    SampleGrid,
)
from lightning_gan.data import ImageFolder, RandomImages  # noqa: E402
from lightning_gan.regularizers.r1 import R1Regularizer  # noqa: E402
from lightning_gan.regularizers.wgan_gp import WGANGPRegularizer  # noqa: E402

STEPS = 13
FACTORS = ("processes", "from_files", "threshold", "wgan_gp", "rmsprop", "plain", "epoch_end")
# Each pair of factors meets in all four ways (an orthogonal array of strength two).
ROWS = (
    (0, 0, 0, 0, 0, 0, 0),
    (0, 0, 0, 1, 1, 1, 1),
    (0, 1, 1, 0, 0, 1, 1),
    (0, 1, 1, 1, 1, 0, 0),
    (1, 0, 1, 0, 1, 0, 1),
    (1, 0, 1, 1, 0, 1, 0),
    (1, 1, 0, 0, 1, 1, 0),
    (1, 1, 0, 1, 0, 0, 1),
)


def stop(row):
    """Return the batch after which a row is stopped: epochs have five."""
    return 10 if row[6] else 7


def make(row):
    _, _, threshold, wgan_gp, rmsprop, plain, _ = row
    torch.manual_seed(7)
    classes = {"num_classes": 2}
    optimizer = partial(RMSprop, lr=1e-3) if rmsprop else partial(Adam, lr=1e-3, betas=(0.5, 0.9))
    scheduler = partial(CosineAnnealingLR, T_max=20) if rmsprop else None
    penalty = WGANGPRegularizer() if wgan_gp else R1Regularizer(interval=3)
    return toys.gan(
        generator=toys.generator(**classes),
        discriminator=toys.discriminator(**classes, dropout=0.0 if plain else 0.3),
        regularizers={"penalty": penalty},
        alternation=LossThreshold(3, 3, 1.37, 1.4) if threshold else Alternating(d_steps=2),
        ema=EMA(half_life_kimg=0.05),
        fake_labels="real" if plain else "uniform",
        generator_batch=1 if plain else 2,
        micro_batches=1 if plain else 2,
        generator_optimizer=optimizer,
        discriminator_optimizer=optimizer,
        generator_lr_scheduler=scheduler,
        discriminator_lr_scheduler=scheduler,
    )


def data(row, images):
    options = {"batch_size": 8 // (1 + row[0])}
    if row[1]:
        return ImageFolder(str(images), in_memory=False, num_workers=2, **options)
    return RandomImages(shape=[1, 4, 4], n=43, num_classes=2, **options)


def draw(folder):
    """Write 48 images of two classes, of which 43 are for training."""
    for number in range(48):
        file = folder / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(256, size=(4, 4), dtype=np.uint8)
        Image.fromarray(pixels).save(file)


def train(row, folder, images, steps, path=None):
    gan, devices = make(row), 1 + row[0]
    run = toys.trainer(
        folder,
        max_steps=steps,
        devices=devices,
        strategy="gan_ddp" if devices > 1 else "auto",
        logger=CSVLogger(folder, name="", version=0),
        enable_checkpointing=True,
        callbacks=[SampleGrid(every_n_steps=4), HealthMonitor(every_n_steps=4), RunCheckpoint(4)],
        log_every_n_steps=4,
    )
    run.fit(gan, data(row, images), ckpt_path=path)
    state = {k: v for k, v in gan.state_dict().items() if isinstance(v, torch.Tensor)}
    if run.is_global_zero:
        states = {
            "module": state,
            "optimizers": [optimizer.state_dict() for optimizer in run.optimizers],
            "schedulers": [each.scheduler.state_dict() for each in run.lr_scheduler_configs],
            "progress": gan.progress.state_dict(),
        }
        torch.save(states, folder / "state.pt")


def main(mode, folder, processes):
    folder = Path(folder)
    for number, row in enumerate(ROWS):
        if row[0] != int(processes) - 1:
            continue
        parts = folder / str(number)
        if mode == "whole":
            train(row, parts / "whole", folder / "images", STEPS)
            train(row, parts / "stopped", folder / "images", stop(row))
        else:
            torch.manual_seed(1000)  # a new process is somewhere else
            last = parts / "stopped" / "version_0" / "checkpoints" / "last.ckpt"
            train(row, parts / "resumed", folder / "images", STEPS, last)


if __name__ == "__main__":
    main(*sys.argv[1:])
