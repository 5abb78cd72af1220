"""Images on their way in and out: files to tensors, samples to pixels."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from lightning_gan.callbacks.pictures.grid import grid
from lightning_gan.callbacks.pictures.shown_range import mapped, shown_bounds
from lightning_gan.callbacks.pictures.training_gif import few_colors
from lightning_gan.callbacks.sink import as_uint8
from lightning_gan.components.spec import printable
from lightning_gan.data.pixel_arrays import Array, in_channels, resized
from lightning_gan.data.pixels import read_header, read_pixels
from lightning_gan.data.window import Window, check_floats, check_window
from lightning_gan.errors import InputError
from lightning_gan.metrics.features import SYMMETRIC, Bounds


def read_image(
    path: Path,
    channels: int | None,
    size: tuple[int, int] | None = None,
    black: float | None = None,
    white: float | None = None,
) -> Tensor:
    """Read an image as a tensor.

    Args:
        path: The file.
        channels: 1 for gray, 3 for color; None: as the file has them.
        size: (height, width) that it is cropped to, at the center, and resized; None keeps its own.
        black: The value in the file that is black; None: the least that there can be, 0 of floats.
        white: The value that is white; None: the largest that there can be, 1 of floats.

    Returns:
        float32 in [-1, 1], black to white, shape (C, H, W).

    Raises:
        InputError: It cannot be read, or not with so many channels; or floats lie outside of 0..1
            without black and white.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"no image at {path}") from error
    except OSError as error:
        raise InputError(f"cannot read the image {path}: {printable(error)}") from error
    values, window = decoded(content, str(path), channels, black, white)
    if size is not None and values.shape[:2] != size:
        height, width = size
        scale = min(values.shape[0] / height, values.shape[1] / width)
        tall, wide = round(height * scale), round(width * scale)
        top, left = (values.shape[0] - tall) // 2, (values.shape[1] - wide) // 2
        values = resized(values[top : top + tall, left : left + wide], (width, height))
    return as_tensor(values, window)


def decoded(
    content: bytes,
    name: str,
    channels: int | None,
    black: float | None = None,
    white: float | None = None,
) -> tuple[Array, Window]:
    """Decode the content of an image file.

    Args:
        content: All of it.
        name: What errors call it.
        channels: 1 for gray, 3 for color; None: as the file has them.
        black: As :func:`read_image` takes it.
        white: The same.

    Returns:
        Values, shape (H, W, C), and which of them are black and white.

    Raises:
        InputError: It cannot be decoded, or not with so many channels; or floats lie outside of
            0..1 without black and white.
    """
    windowed = (black, white) != (None, None)
    try:
        kind = read_header(content).type
        check_window(black, white, kind)
        window = kind.window(black, white)
        if not kind.is_float and (window.black < kind.black or window.white > kind.white):
            raise InputError(f"its values are {kind}, and black to white is {window}")
        values, _ = read_pixels(content, window if windowed else None)
    except MemoryError as error:
        raise InputError(f"the image {name} takes more memory than there is") from error
    except Exception as error:  # each decoder fails in its own way
        raise InputError(f"cannot read the image {name}: {printable(error)}") from error
    found = values if channels is None else in_channels(values, channels)
    if found is None:
        raise InputError(f"{name} has {values.shape[2]} channels, and {channels} are expected")
    if kind.is_float:
        check_floats(torch.from_numpy(found), name, any_range=windowed)
    return found, window


def as_tensor(values: Array, window: Window) -> Tensor:
    """Return pixels (H, W, C) as float32 in [-1, 1], black to white, shape (C, H, W)."""
    return window.scaled(torch.from_numpy(values.copy()).permute(2, 0, 1))


def is_deep(path: Path) -> bool:
    """Whether the values of an image that could be read have more than 8 bits."""
    return read_header(path.read_bytes()).type.name != "uint8"


def in_range(images: Tensor, bounds: Bounds) -> Tensor:
    """Map images in [-1, 1] to other bounds."""
    low, high = bounds
    return images if bounds == SYMMETRIC else images.add(1).mul((high - low) / 2).add(low)


def check_images(samples: Tensor, where: str) -> None:
    """Refuse samples that are no images.

    Raises:
        InputError: They are none.
    """
    if samples.ndim != 4:
        raise InputError(
            f"samples of shape {tuple(samples.shape[1:])} are no images: write them to {where}"
        )


def as_shown(loaded: Any, samples: Tensor, bounds: Bounds | None = None) -> Tensor:
    """Return samples as images in [-1, 1], their range from black to white.

    Args:
        loaded: What they come from.
        samples: Shape (N, C, H, W).
        bounds: Which values are black and white; None: as the generator says.
    """
    return mapped(samples, bounds or shown_bounds(loaded, samples)).cpu()


def png(picture: Tensor) -> bytes:
    """Return a picture (C, H, W), uint8 or in [0, 1], C = 1 or 3, as a PNG."""
    made = io.BytesIO()
    to_pil_image(as_uint8(picture)).save(made, "PNG")
    return made.getvalue()


def gif(frames: Sequence[Tensor], milliseconds: int) -> bytes:
    """Return pictures (3, H, W) in [0, 1] as an endless GIF."""
    images = [few_colors(to_pil_image(as_uint8(frame)).convert("RGB")) for frame in frames]
    made = io.BytesIO()
    first, *rest = images
    first.save(made, "GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    return made.getvalue()


def cells(images: Tensor, columns: int) -> Tensor:
    """Return images in [-1, 1] as a grid (3, H, W) in [0, 1], row by row."""
    return grid(images, columns)
