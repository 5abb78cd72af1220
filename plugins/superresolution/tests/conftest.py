"""One thread, a known seed, images that are made here, and a run of two phases for all tests."""

import os

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from lightning_gan_superresolution import (
    Degraded,
    FeatureDistance,
    RRDBGenerator,
    SuperResolutionMetrics,
)
from PIL import Image

from lightning_gan import (
    GANModule,
    create_discriminator,
    create_loss,
    create_regularizer,
    create_schedule,
)
from lightning_gan.data import ImageFolder

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _known():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def waves(folder, n=16, size=(16, 16), bits=8):
    """Write smooth color images with edges, in PNGs of some bits."""
    folder.mkdir(parents=True, exist_ok=True)
    source = np.random.default_rng(0)
    rows, columns = np.mgrid[: size[0], : size[1]]
    for index in range(n):
        a, b, shift = source.uniform(0.2, 0.9, 3)
        planes = [np.sin(a * rows + b * columns + shift + c) * 0.4 + 0.5 for c in range(3)]
        values = np.stack(planes, 2)
        values[source.integers(4, size[0]) :] *= 0.5
        if bits == 8:
            Image.fromarray((values * 255).astype(np.uint8)).save(folder / f"{index:02d}.png")
        else:
            gray = (values[..., 0] * 65535).astype(np.uint16)
            Image.fromarray(gray).save(folder / f"{index:02d}.png")
    return folder


def data(folder, batch_size=4):
    images = ImageFolder(str(folder), batch_size=batch_size, holdout=0.25)
    return Degraded(images, scale=2)


def gan():
    """A GAN that is pretrained for 12 images and plays from then on."""
    torch.manual_seed(0)
    return GANModule(
        generator=RRDBGenerator((3, 16, 16), 2, 4, 1, 2),
        discriminator=create_discriminator("unet", sample_shape=(3, 16, 16), base_channels=2),
        loss=create_loss("non_saturating"),
        regularizers={
            "l1": create_regularizer("l1"),
            "feature_distance": FeatureDistance(weight=0.0),
        },
        generator_weight=0.0,
        discriminator_weight=0.0,
        schedules={
            "discriminator_weight": create_schedule("burn_in", start=0.0, end=1.0, kimg=0.008),
            "generator_weight": create_schedule("burn_in", start=0.0, end=0.1, kimg=0.012),
            "regularizers.feature_distance.weight": create_schedule(
                "burn_in", start=0.0, end=1.0, kimg=0.012
            ),
        },
    )


def trainer(folder, max_steps, **options):
    options = {"callbacks": [SuperResolutionMetrics()], **options}
    return pl.Trainer(
        accelerator="cpu",
        max_epochs=-1,
        max_steps=max_steps,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    return waves(tmp_path_factory.mktemp("images") / "waves")


@pytest.fixture(scope="session")
def trained(tmp_path_factory, images):
    """The network of a finished run, and its checkpoint."""
    folder = tmp_path_factory.mktemp("run")
    module = gan()
    run = trainer(folder, 6)
    run.fit(module, data(images))
    run.save_checkpoint(folder / "last.ckpt")
    return module.generator, folder / "last.ckpt"
