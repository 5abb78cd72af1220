"""A GAN trained from files with two workers, stopped and resumed, is the one never stopped."""

import numpy as np
import pytest
import torch
import toys
from PIL import Image
from pytorch_lightning.callbacks import ModelCheckpoint

from lightning_gan import EMA
from lightning_gan.data import ImageFolder
from lightning_gan.regularizers.r1 import R1Regularizer

STEPS = 12  # of 5 an epoch
OPTIONS = {"log_every_n_steps": 4, "max_steps": STEPS}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """44 images of noise in three classes."""
    root = tmp_path_factory.mktemp("noise")
    draw = np.random.default_rng(0)
    for number in range(44):
        path = root / "abc"[number % 3] / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (4, 4), np.uint8)).save(path)
    return root


def data(root, in_memory=False):
    return ImageFolder(str(root), in_memory=in_memory, num_workers=2, batch_size=8)


def make():
    torch.manual_seed(7)
    return toys.gan(
        generator=toys.generator(num_classes=3),
        discriminator=toys.discriminator(num_classes=3, dropout=0.2),
        regularizers={"r1": R1Regularizer(interval=3)},
        ema=EMA(half_life_kimg=0.05),
    )


def weights(gan):
    networks = {name: getattr(gan, name) for name in ("generator", "discriminator")}
    return toys.weights(torch.nn.ModuleDict({**networks, "ema": gan.generator_ema}))


@pytest.fixture(scope="module")
def never_stopped(root, tmp_path_factory):
    """Weights after a run from memory."""
    gan = make()
    toys.trainer(tmp_path_factory.mktemp("run"), **OPTIONS).fit(gan, data(root, in_memory=True))
    return weights(gan)


def resumed(folder, root, path, in_memory=False):
    torch.manual_seed(999)
    gan = make()
    torch.manual_seed(1000)
    run = toys.trainer(folder, **OPTIONS)
    run.fit(gan, data(root, in_memory), ckpt_path=path)
    assert run.global_step == STEPS
    return weights(gan)


@pytest.mark.parametrize("stop", [3, 5, 7])  # mid-epoch, epoch end, mid-epoch of the second
def test_a_stopped_run_goes_on(tmp_path, root, never_stopped, stop):
    part = toys.trainer(tmp_path, **{**OPTIONS, "max_steps": stop})
    part.fit(make(), data(root))
    part.save_checkpoint(tmp_path / "stopped.ckpt", weights_only=False)
    assert toys.same(never_stopped, resumed(tmp_path, root, tmp_path / "stopped.ckpt"))


@pytest.mark.filterwarnings("ignore:.*callbacks used to create the checkpoint")
def test_checkpoints_of_the_middle_and_of_the_end_of_an_epoch(tmp_path, root, never_stopped):
    savers = [
        ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=4, save_top_k=-1),
        ModelCheckpoint(tmp_path, "{step}", save_on_train_epoch_end=True, save_top_k=-1),
    ]
    whole = make()
    run = toys.trainer(tmp_path, **OPTIONS, enable_checkpointing=True, callbacks=savers)
    run.fit(whole, data(root))
    assert toys.same(never_stopped, weights(whole))
    for step in (4, 5, 8, 10):
        path = tmp_path / f"step={step}.ckpt"
        assert toys.same(never_stopped, resumed(tmp_path, root, path)), step


def test_a_run_begun_from_files_may_go_on_from_memory(tmp_path, root, never_stopped):
    part = toys.trainer(tmp_path, **{**OPTIONS, "max_steps": 7})
    part.fit(make(), data(root))
    part.save_checkpoint(tmp_path / "stopped.ckpt", weights_only=False)
    path = tmp_path / "stopped.ckpt"
    assert toys.same(never_stopped, resumed(tmp_path, root, path, in_memory=True))
