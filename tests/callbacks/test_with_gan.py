"""All callbacks together on the real GANModule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

from lightning_gan import EMA, GANModule, create_discriminator, create_generator, create_loss
from lightning_gan.callbacks import LossCurves, PredictionWriter, RunSummary, SampleGrid


@pytest.fixture
def loader():
    data = TensorDataset(torch.rand(12, 1, 8, 8) * 2 - 1, torch.arange(12) % 3)
    return DataLoader(data, batch_size=4)


@pytest.fixture
def gan():
    shape = {"sample_shape": (1, 8, 8), "num_classes": 3}
    return GANModule(
        generator=create_generator("mlp", **shape),
        discriminator=create_discriminator("mlp", **shape),
        loss=create_loss("non_saturating"),
        ema=EMA(),
    )


def test_a_run_leaves_pictures_curves_and_predictions(gan, loader, make_trainer, tmp_path, capsys):
    curves, checkpoints = LossCurves(), ModelCheckpoint(dirpath=tmp_path, save_last=True)
    callbacks = [RunSummary(), SampleGrid(rows=2), curves, checkpoints]
    options = {"max_steps": 3, "log_every_n_steps": 2, "enable_checkpointing": True}
    make_trainer(*callbacks, **options).fit(gan, loader)

    pictures = [
        np.asarray(Image.open(tmp_path / "samples" / f"grid-{step:08d}.png")) for step in (0, 3)
    ]
    # Three classes of 8 pixels, enlarged 13-fold, with padding of 2.
    assert pictures[0].shape == (2 * 106 + 2, 3 * 106 + 2, 3)
    assert not np.array_equal(*pictures)
    assert curves.history["loss/discriminator"]["steps"] == [2.0, 3.0]
    assert (tmp_path / "losses.png").exists()
    printed = capsys.readouterr().out
    assert "images seen         12\n" in printed
    assert f"GANModule.load_from_checkpoint('{tmp_path / 'last.ckpt'}').sample(64)" in printed

    make_trainer(PredictionWriter()).predict(gan, loader)
    written = sorted(path.name for path in (tmp_path / "predictions").iterdir())
    assert written == [f"{index:06d}-class{index % 3}.png" for index in range(12)]
