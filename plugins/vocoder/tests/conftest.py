"""One thread, a known seed, sounds that are made here, and small runs of them."""

import os

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from lightning_gan_vocoder import (
    HiFiGANDiscriminator,
    HiFiGANGenerator,
    MelDistance,
    WaveFolder,
)
from scipy.io import wavfile

from lightning_gan import (
    GANModule,
    create_alternation,
    create_loss,
    create_regularizer,
    create_schedule,
)

os.environ.setdefault("OMP_NUM_THREADS", "1")
RATE = 1000
MEL = {
    "sample_rate": RATE, "n_fft": 32, "hop_length": 8, "win_length": 32, "n_mels": 6,
    "f_max": 400.0,
}  # fmt: skip
SEGMENT = 128


@pytest.fixture(autouse=True)
def _known():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def sounds(folder, lengths=(300, 200, 660, 128, 710, 280, 150, 620), rate=RATE):
    """Write tones with noise as WAV files of 16 bits."""
    folder.mkdir(parents=True, exist_ok=True)
    source = np.random.default_rng(0)
    for index, length in enumerate(lengths):
        time = np.arange(length) / rate
        wave = 0.5 * np.sin(2 * np.pi * source.uniform(40, 300) * time)
        wave += 0.02 * source.standard_normal(length)
        wavfile.write(folder / f"{index}.wav", rate, (wave * 32767).astype(np.int16))
    return folder


@pytest.fixture(scope="session")
def waves(tmp_path_factory):
    return sounds(tmp_path_factory.mktemp("waves") / "sounds")


def data(folder, batch_size=2, **changes):
    given = {**MEL, "segment_length": SEGMENT, "holdout": 0.25, **changes}
    return WaveFolder(str(folder), batch_size=batch_size, **given)


def generator(**changes):
    given = {
        "mel": MEL, "base_channels": 8, "upsample_rates": [4, 2], "upsample_kernels": [8, 4],
        "block_kernels": [3, 5], "block_dilations": [[1, 3], [1, 2]], **changes,
    }  # fmt: skip
    return HiFiGANGenerator((1, SEGMENT), **given)


def gan(network=None):
    """A GAN whose D begins after 4 segments, and is heard after 6."""
    torch.manual_seed(0)
    matching = create_regularizer("feature_matching", weight=0.0, distance="l1")
    return GANModule(
        generator=network or generator(),
        discriminator=HiFiGANDiscriminator((1, SEGMENT), [2, 3], 2, 2, 2),
        loss=create_loss("least_squares"),
        regularizers={
            "log_mel": create_regularizer(
                "log_mel", sample_rate=RATE, fft=32, hop=8, window=32, mels=6
            ),
            "feature_matching": matching,
        },
        alternation=create_alternation("warm_up", kimg=0.004, player="generator"),
        generator_weight=0.0,
        heads="sum",
        schedules={
            "generator_weight": create_schedule("burn_in", start=0.0, end=1.0, kimg=0.006),
            "regularizers.feature_matching.weight": create_schedule(
                "burn_in", start=0.0, end=2.0, kimg=0.006
            ),
        },
    )


def trainer(folder, max_steps, **options):
    options = {"callbacks": [MelDistance(4)], **options}
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
def trained(tmp_path_factory, waves):
    """The network of a finished run, its checkpoint, and what was logged."""
    folder = tmp_path_factory.mktemp("run")
    module = gan()
    run = trainer(folder, 5)
    run.fit(module, data(waves))
    run.save_checkpoint(folder / "last.ckpt")
    (logged,) = run.validate(module, data(waves), verbose=False)
    return module.generator.eval(), folder / "last.ckpt", logged
