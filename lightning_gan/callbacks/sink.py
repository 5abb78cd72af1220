"""Where pictures go: a PNG in the run's folder always, and every logger that can show images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from PIL.PngImagePlugin import PngInfo
from pytorch_lightning.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from lightning_gan.data.base import ImageData
from lightning_gan.data.window import Window
from lightning_gan.files.names import SAMPLES
from lightning_gan.training.folders import leaves_files as leaves_files
from lightning_gan.training.folders import run_folder as run_folder


def _to_tensorboard(logger: Any, key: str, image: Tensor, path: Path, step: int) -> None:
    logger.experiment.add_image(key, image, step)


def _to_wandb(logger: Any, key: str, image: Tensor, path: Path, step: int) -> None:
    # The logger sends the step as "trainer/global_step", its x-axis, and leaves W&B's own counter,
    # which must not go backwards, alone. A tensor would be rescaled by its extremes; a file is not.
    logger.log_image(key=key, images=[str(path)], step=step)


def _to_mlflow(logger: Any, key: str, image: Tensor, path: Path, step: int) -> None:
    # With a key and a step, MLflow (2.12.2 and later) shows the pictures of a run in a row.
    logger.experiment.log_image(logger.run_id, to_pil_image(image), key=key, step=step)


# Another logger is one entry: (logger, key, uint8 image (C, H, W), its PNG, step).
WRITERS: dict[type, Callable[[Any, str, Tensor, Path, int], None]] = {
    TensorBoardLogger: _to_tensorboard,
    WandbLogger: _to_wandb,
    MLFlowLogger: _to_mlflow,
}


def shown_path(path: Path) -> Path:
    """Return a path as a person wants to read it: relative where it lies below the current one."""
    path, here = path.resolve(), Path.cwd().resolve()
    return path.relative_to(here) if path.is_relative_to(here) else path


def shown_window(trainer: pl.Trainer) -> Window | None:
    """Return which values of the data are black and white; None where these are plain 8 bits."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, ImageData) or len(data.sample_shape) != 3:
        return None
    plain = data.pixel_type.name == "uint8" and not data.windowed
    return None if plain else data.window


def write_image(trainer: pl.Trainer, name: str, image: Tensor, step: int) -> Path:
    """Write one picture to the run's folder and to the loggers that show pictures.

    The file is ``samples/<name>-<step>.png``, the loggers' key ``samples/<name>``. Only rank zero
    writes, yet all ranks must call. A ``fast_dev_run`` leaves no files behind. Where the data have
    other values than 0..255, the file says in its text ``window`` which are black and white.

    Args:
        trainer: Whose run it is.
        name: What the picture shows, a word fit for a file's name.
        image: Shape (C, H, W) with C = 1 or 3, uint8, or floating point in [0, 1].
        step: ``trainer.global_step`` at which the picture was taken.

    Returns:
        Path of the PNG.
    """
    path = run_folder(trainer) / SAMPLES / f"{name}-{step:08d}.png"
    if trainer.is_global_zero and leaves_files(trainer):
        pixels = as_uint8(image)
        write_png(pixels, path, shown_window(trainer))
        for logger in trainer.loggers:
            for kind, write in WRITERS.items():
                if isinstance(logger, kind):
                    write(logger, f"{SAMPLES}/{name}", pixels, path, step)
    return path


def write_png(image: Tensor, path: Path, window: Window | None = None) -> None:
    """Write a uint8 image (C, H, W), C = 1 or 3, and make the folder where it is missing.

    Args:
        image: The image.
        path: The file.
        window: Which values of the data are black and white, to be noted in the file; or None.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    noted = PngInfo()
    if window is not None:
        noted.add_text("window", str(window))
    # Training waits: level 1 takes about half the time of the default, for files a tenth larger.
    to_pil_image(image).save(path, compress_level=1, pnginfo=noted)


def as_uint8(image: Tensor) -> Tensor:
    """Return uint8 pixels on the CPU; floating point in [0, 1] is rounded, NaN becomes black."""
    if image.dtype != torch.uint8:
        image = image.detach().float().nan_to_num().clamp(0, 1).mul(255).round().to(torch.uint8)
    return image.cpu()
