"""Image files decoded to pixels of the type that the files have; no folders, no one shape."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lightning_gan.data.deep_pixels import (
    ORIENTATION,
    UINT16,
    deep_png_channels,
    deep_png_pixels,
    deep_pnm,
    deep_pnm_pixels,
    is_deep_png,
)
from lightning_gan.data.pixel_arrays import TURNED, Array
from lightning_gan.data.tiff_pixels import ForPillowError, is_tiff, tiff_pixels, tiff_tags
from lightning_gan.data.window import PixelType, Window

_UINT8 = PixelType.of("uint8")
_GRAY = ("1", "L", "LA")  # modes of 8 bits


@dataclass(frozen=True)
class ImageHeader:
    """What the head of an image file says.

    Attributes:
        channels: 1 for gray, 3 for color, or how many there are.
        size: Upright (width, height).
        type: Of its values.
    """

    channels: int
    size: tuple[int, int]
    type: PixelType


def read_header(data: bytes) -> ImageHeader:
    """Read what kind of image a file holds, without decoding it.

    Args:
        data: The file.

    Raises:
        InputError: It holds what is no image to us.
        Exception: It is damaged; each decoder fails in its own way.
    """
    if is_tiff(data):
        try:
            tags = tiff_tags(data)
        except ForPillowError:
            return _header_of(_opened(data))
        return ImageHeader(tags.channels, tags.size, tags.type)
    if is_deep_png(data):
        return ImageHeader(deep_png_channels(data), _header_of(_opened(data)).size, UINT16)
    deep = deep_pnm(data)
    if deep is not None:
        (height, width, channels), kind, _ = deep
        return ImageHeader(channels, (width, height), kind)
    return _header_of(_opened(data))


def read_pixels(data: bytes, window: Window | None = None) -> tuple[Array, PixelType]:
    """Decode an image file, upright and without transparency, which is put on white.

    Args:
        data: The file.
        window: Which values are black and white; None: as the type has it.

    Returns:
        Values, shape (H, W, C), larger ones lighter, and their type.

    Raises:
        InputError: It holds what is no image to us.
        Exception: It is damaged; each decoder fails in its own way.
    """
    if is_tiff(data):
        try:
            return tiff_pixels(data, window)
        except ForPillowError:
            return _pillow_pixels(data)
    if is_deep_png(data):
        return deep_png_pixels(data, window or UINT16.window()), UINT16
    deep = deep_pnm(data)
    if deep is not None:
        shape, kind, start = deep
        return deep_pnm_pixels(data, shape, start), kind
    return _pillow_pixels(data)


def _opened(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:  # whose words are those of an object in memory
        raise ValueError("not an image of a known format") from error


def _header_of(image: Image.Image) -> ImageHeader:
    width, height = image.size
    if image.getexif().get(ORIENTATION) in TURNED:
        width, height = height, width
    gray = image.mode in (*_GRAY, "F") or image.mode.startswith("I")
    return ImageHeader(1 if gray else 3, (width, height), type_of(image.mode))


def type_of(mode: str) -> PixelType:
    """Return the type of the values of one of Pillow's modes."""
    if mode.startswith("I;16"):
        return UINT16
    return PixelType.of({"I": "int32", "F": "float32"}.get(mode, "uint8"))


def _pillow_pixels(data: bytes) -> tuple[Array, PixelType]:
    """Decode what Pillow reads right: 8 bits a channel in any mode, deeper ones in gray."""
    image = _opened(data)
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    kind = type_of(image.mode)
    if kind != _UINT8:
        return np.array(image).astype(kind.name)[..., None], kind
    target = "L" if image.mode in _GRAY else "RGB"
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.array(image.convert(target))
    return pixels.reshape(*pixels.shape[:2], -1), kind
