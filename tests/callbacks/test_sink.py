from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from pytorch_lightning.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger

from lightning_gan.callbacks.sink import as_uint8, shown_path, write_image

RAMP = torch.linspace(0, 1, 256).view(1, 16, 16)


class WriteAtEnd(pl.Callback):
    def on_train_end(self, trainer, pl_module):
        for step in (7, 3):  # a step that goes backwards must not bother any logger
            self.path = write_image(trainer, "ramp", RAMP, step)


def read(path):
    return np.asarray(Image.open(path))


def test_without_logger_the_png_lies_below_the_root(fake_gan, fit, tmp_path):
    writer = WriteAtEnd()
    fit(fake_gan(), writer)
    assert writer.path == tmp_path / "samples" / "ramp-00000003.png"
    assert (tmp_path / "samples" / "ramp-00000007.png").exists()
    assert np.array_equal(read(writer.path), np.arange(256).reshape(16, 16))


def test_color_and_uint8_come_back_as_they_were(fake_gan, make_trainer):
    image = torch.arange(3 * 4 * 5, dtype=torch.uint8).view(3, 4, 5)
    path = write_image(make_trainer(), "color", image, 0)
    assert np.array_equal(read(path), image.permute(1, 2, 0).numpy())


def test_csv_run_gets_the_png_in_its_folder(fake_gan, fit, tmp_path):
    writer = WriteAtEnd()
    logger = CSVLogger(tmp_path, name="run", version=0)
    fit(fake_gan(), writer, logger=logger)
    assert writer.path == tmp_path / "run" / "version_0" / "samples" / "ramp-00000003.png"
    assert writer.path.exists()


def test_tensorboard_gets_the_same_pixels(fake_gan, fit, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    writer = WriteAtEnd()
    logger = TensorBoardLogger(tmp_path, name="run", version=0)
    fit(fake_gan(), writer, logger=[logger, CSVLogger(tmp_path, name="csv")])
    assert writer.path.parent == tmp_path / "run" / "version_0" / "samples"
    events = EventAccumulator(logger.log_dir)
    events.Reload()
    images = events.Images("samples/ramp")
    assert [image.step for image in images] == [7, 3]
    encoded = tmp_path / "event.png"
    encoded.write_bytes(images[0].encoded_image_string)
    assert np.array_equal(read(encoded)[..., 0], read(writer.path))  # TensorBoard makes it RGB


def test_wandb_offline_run_keeps_the_picture(fake_gan, fit, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    writer = WriteAtEnd()
    logger = WandbLogger(offline=True, save_dir=tmp_path, log_model=False)
    fit(fake_gan(), writer, logger=logger)
    history_step = logger.experiment.step
    wandb.finish()
    assert writer.path.exists()
    folder = tmp_path / "wandb"
    media = sorted(folder.glob("offline-run-*/files/media/images/samples/ramp_*.png"))
    assert [np.array_equal(read(path), read(writer.path)) for path in media] == [True, True]
    assert history_step == 2  # W&B's own counter went on; nothing was dropped as out of order


def test_wandb_may_be_absent(fake_gan, fit, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)  # importing it would raise
    writer = WriteAtEnd()
    fit(fake_gan(), writer, logger=TensorBoardLogger(tmp_path))
    assert writer.path.exists()


class Client:
    """MlflowClient as far as the sink and Lightning's logger use it."""

    def __init__(self):
        self.images = []

    def log_image(self, run_id, image, artifact_file=None, key=None, step=None):
        self.images.append((run_id, np.asarray(image), artifact_file, key, step))


class Logger(MLFlowLogger):
    """Lightning's logger without mlflow."""

    experiment = name = version = save_dir = None
    run_id = "run-7"

    def __init__(self, **attributes):
        for name, value in attributes.items():
            setattr(self, name, value)


def test_mlflow_gets_the_pixels_with_key_and_step(make_trainer):
    client, trainer = Client(), make_trainer()
    trainer.loggers = [Logger(experiment=client)]  # its store is a server
    path = write_image(trainer, "ramp", RAMP, 7)
    [(run, pixels, artifact, key, step)] = client.images
    assert (run, artifact, key, step) == ("run-7", None, "samples/ramp", 7)
    assert np.array_equal(pixels, read(path))
    assert path.parent.parent == Path(trainer.default_root_dir)


def test_a_local_mlflow_store_gets_the_png_in_the_folder_of_the_run(make_trainer, tmp_path):
    trainer = make_trainer()
    store = {"save_dir": str(tmp_path / "mlruns"), "name": "12", "version": "run-7"}
    trainer.loggers = [Logger(experiment=Client(), **store)]
    path = write_image(trainer, "ramp", RAMP, 7)
    assert path.parent == tmp_path / "mlruns" / "12" / "run-7" / "samples"
    assert path.exists()


def test_fast_dev_run_leaves_no_files(fake_gan, fit, tmp_path):
    fit(fake_gan(), WriteAtEnd(), fast_dev_run=True, max_steps=-1)
    assert list(tmp_path.iterdir()) == []


def test_pixels_are_rounded_clamped_and_finite():
    values = torch.tensor([-1.0, 0.5, 2.0, float("nan"), float("inf")]).view(1, 1, 5)
    assert as_uint8(values).flatten().tolist() == [0, 128, 255, 0, 255]
    assert as_uint8(values.bfloat16()).dtype == torch.uint8


def test_paths_are_shown_relative_below_the_current_folder(tmp_path, monkeypatch):
    below, elsewhere = tmp_path / "here" / "a.png", tmp_path / "b.png"
    below.parent.mkdir()
    monkeypatch.chdir(below.parent)
    assert str(shown_path(below)) == "a.png"
    assert shown_path(elsewhere) == elsewhere
