"""One thread, a known seed, waves to rebuild, and small runs of them."""

import os

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from lightning_gan_tokenizer import CodebookUse, KLAutoencoder, TokenizerMetrics, VQAutoencoder
from PIL import Image

from lightning_gan import (
    BatchKeys,
    GANModule,
    create_alternation,
    create_balance,
    create_discriminator,
    create_loss,
    create_regularizer,
    create_schedule,
)
from lightning_gan.data import ImageFolder

os.environ.setdefault("OMP_NUM_THREADS", "1")
SHAPE = (3, 8, 8)
INSIDE = {"hidden_channels": 4, "levels": 1, "blocks": 1}


@pytest.fixture(autouse=True)
def _known():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A folder of 16 smooth color images."""
    folder = tmp_path_factory.mktemp("images") / "waves"
    folder.mkdir()
    source = np.random.default_rng(0)
    rows, columns = np.mgrid[:8, :8]
    for index in range(16):
        a, b, shift = source.uniform(0.2, 0.9, 3)
        planes = [np.sin(a * rows + b * columns + shift + c) * 0.4 + 0.5 for c in range(3)]
        Image.fromarray((np.stack(planes, 2) * 255).astype(np.uint8)).save(folder / f"{index}.png")
    return folder


def data(folder, batch_size=4):
    return ImageFolder(str(folder), batch_size=batch_size, holdout=0.25, labels=False)


def gan(kind="vq", window=2):
    """A GAN whose D begins after 8 images, and is heard after 12."""
    torch.manual_seed(0)
    terms = {"l1": create_regularizer("l1")}
    if kind == "vq":
        generator = VQAutoencoder(SHAPE, codes=12, code_dim=3, **INSIDE)
        terms["commitment"] = create_regularizer("commitment")
        terms["codebook_use"] = CodebookUse(window)
    else:
        generator = KLAutoencoder(SHAPE, code_channels=2, **INSIDE)
        terms["gaussian_kl"] = create_regularizer("gaussian_kl", weight=1e-4)
    return GANModule(
        generator=generator,
        discriminator=create_discriminator(
            "patch", sample_shape=SHAPE, base_channels=2, norm="none"
        ),
        loss=create_loss("hinge"),
        regularizers=terms,
        alternation=create_alternation("warm_up", kimg=0.008, player="generator"),
        balance=create_balance("adaptive_weight", layer="decoder.conv_out", weight=0.4),
        generator_weight=0.0,
        schedules={"generator_weight": create_schedule("burn_in", start=0.0, end=1.0, kimg=0.012)},
        prepare_batch=BatchKeys(real=0, y=0),
    )


def trainer(folder, max_steps, **options):
    options = {"callbacks": [TokenizerMetrics()], **options}
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


@pytest.fixture(scope="session", params=["vq", "kl"])
def trained(request, tmp_path_factory, images):
    """A network after six batches, its checkpoint, and what was logged last."""
    folder = tmp_path_factory.mktemp(request.param)
    module = gan(request.param)
    run = trainer(folder, 6)
    run.fit(module, data(images))
    run.save_checkpoint(folder / "last.ckpt")
    run.validate(module, data(images), verbose=False)
    return module.generator.eval(), folder / "last.ckpt", run.callback_metrics
