"""Pixels as NumPy arrays (H, W, C) of any type: turned, put on white, resized, converted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightning_gan.data.window import PixelType, Window

Array = NDArray[Any]

TURNED = (5, 6, 7, 8)  # orientations that swap width and height
_TURNS: dict[int, Callable[[Array], Array]] = {
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x.swapaxes(0, 1)[::-1, ::-1],
    8: lambda x: np.rot90(x, 1),
}
_LUMA = (19595, 38470, 7471)  # of 2**16, as Pillow has it: ITU-R 601-2


def turned(values: Array, orientation: int) -> Array:
    """Return an image upright that a tag of TIFF or Exif says to be orientated so, 1..8."""
    return _TURNS[orientation](values) if orientation in _TURNS else values


def rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return floats as a type, rounded and cut to its range where it has whole numbers."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values = np.rint(values).clip(limits.min, limits.max)
    return values.astype(dtype)


def reflected(values: Array, window: Window) -> Array:
    """Return an image whose least values are white as one whose largest are."""
    return rounded(window.black + window.white - values.astype(np.float64), values.dtype)


def on_white(values: Array, alpha: Array, opaque: float, window: Window, multiplied: bool) -> Array:
    """Put an image on white.

    Args:
        values: Shape (H, W, C).
        alpha: How opaque it is, from 0 to ``opaque``, shape (H, W).
        opaque: See there.
        window: What is white.
        multiplied: Whether values are multiplied by alpha already.
    """
    share = (alpha.astype(np.float64) / opaque).clip(0, 1)[..., None]
    colors = values.astype(np.float64) - window.black
    colors = colors if multiplied else colors * share
    return rounded(
        colors + (window.white - window.black) * (1 - share) + window.black, values.dtype
    )


def from_cmyk(values: Array, full: float) -> Array:
    """Return amounts of four inks, 0..full, as red, green and blue, the way Pillow does."""
    left = full - values.astype(np.float64)
    return rounded(left[..., :3] * left[..., 3:] / full, values.dtype)


def in_channels(values: Array, channels: int) -> Array | None:
    """Return an image with so many channels, gray as color or the reverse; None for all else."""
    if values.shape[2] == channels:
        return values
    if (values.shape[2], channels) == (1, 3):
        return values.repeat(3, axis=2)
    if (values.shape[2], channels) == (3, 1):
        if values.dtype.kind in "iu":
            weighted: Array = values.astype(np.int64) @ np.array(_LUMA) + 2**15
            return (weighted >> 16).astype(values.dtype)[..., None]
        gray: Array = values.astype(np.float64) @ (np.array(_LUMA) / 2**16)
        return gray.astype(values.dtype)[..., None]
    return None


def resized(values: Array, size: tuple[int, int]) -> Array:
    """Return an image in another size (width, height), bilinear with antialiasing."""
    way = Image.Resampling.BILINEAR
    if values.dtype == np.uint8 and values.shape[2] in (1, 3):
        plain = values[..., 0] if values.shape[2] == 1 else values
        return np.array(Image.fromarray(np.ascontiguousarray(plain)).resize(size, way)).reshape(
            size[1], size[0], -1
        )
    planes = [values[..., channel].astype(np.float32) for channel in range(values.shape[2])]
    made = [np.asarray(Image.fromarray(plane).resize(size, way)) for plane in planes]
    return rounded(np.stack(made, axis=2), values.dtype)


def retyped(values: Array, found: PixelType, wanted: PixelType) -> Array | None:
    """Return unsigned values of fewer bits as those of more, black and white kept; else None."""
    if found == wanted:
        return values
    unsigned = found.name.startswith("u") and wanted.name.startswith("u")
    if not unsigned or found.white > wanted.white:
        return None
    return rounded(values.astype(np.float64) * (wanted.white / found.white), np.dtype(wanted.name))
