"""PNG, PGM and PPM files of more than 8 bits a channel, of which Pillow would drop the rest."""

from __future__ import annotations

import io
import re
import zlib

import numpy as np
from PIL import Image

from lightning_gan.data.pixel_arrays import Array, on_white, turned
from lightning_gan.data.tiff_pixels import LARGEST
from lightning_gan.data.window import PixelType, Window

ORIENTATION = 0x0112  # of Exif
UINT16 = PixelType.of("uint16")
_PNG = b"\x89PNG\r\n\x1a\n"
_GRAY, _GRAY_ALPHA, _RGB, _RGBA = 0, 4, 2, 6  # color types
_GAP = rb"\s+(?:#[^\n]*\n\s*)*"  # white space in the head of a PNM file, with remarks
_PNM = re.compile(rb"P([2356])" + 3 * (_GAP + rb"(\d{1,9})") + rb"\s")


def is_deep_png(data: bytes) -> bool:
    """Whether a file is a PNG of 16 bits a channel."""
    return data.startswith(_PNG) and data[12:16] == b"IHDR" and data[24:25] == b"\x10"


def deep_png_channels(data: bytes) -> int:
    """Return the number of its channels, opacity aside."""
    return 1 if data[25] in (_GRAY, _GRAY_ALPHA) else 3


def deep_png_pixels(data: bytes, window: Window) -> Array:
    """Decode a PNG of 16 bits a channel, upright and on the white of a window.

    Returns:
        uint16, shape (H, W, 1 or 3).
    """
    image = Image.open(io.BytesIO(data))
    size = 8 * image.width * image.height
    if size > LARGEST:
        raise ValueError(f"it unpacks to {size:,} bytes")
    values = _png_channels(data)
    key = image.info.get("transparency")
    if values.shape[2] in (2, 4):
        values = on_white(values[..., :-1], values[..., -1], UINT16.white, window, False)
    elif key is not None:  # the one color that is transparent
        alpha = (values != np.array(key)).any(axis=2)
        values = on_white(values, alpha, 1, window, False)
    return turned(values, image.getexif().get(ORIENTATION, 1))


def _png_channels(data: bytes) -> Array:
    """Return all channels as they are kept, uint16 of shape (H, W, C)."""
    color = data[25]
    if color == _GRAY:
        return np.array(Image.open(io.BytesIO(data))).astype(np.uint16)[..., None]
    if color == _GRAY_ALPHA:
        # Two channels of 16 bits lie in the file as four of 8 do, which is what its head says now.
        head = data[12:24] + bytes([8, _RGBA]) + data[26:29]
        plain = data[:12] + head + zlib.crc32(head).to_bytes(4, "big") + data[33:]
        values = np.array(Image.open(io.BytesIO(plain))).astype(np.uint16)
        return values[..., 0::2] << 8 | values[..., 1::2]
    name = "RGB" if color == _RGB else "RGBA"
    # Pillow takes one byte of two: of big-endian numbers the high one, of little-endian the low.
    high, low = (_decoded_as(data, f"{name};16{order}") for order in "BL")
    return high << 8 | low


def _decoded_as(data: bytes, raw_mode: str) -> Array:
    image = Image.open(io.BytesIO(data))
    image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
    return np.array(image).astype(np.uint16)


def deep_pnm(data: bytes) -> tuple[tuple[int, int, int], PixelType, int] | None:
    """Return shape (H, W, C), type and where pixels begin in a PGM or PPM of more than 8 bits."""
    head = _PNM.match(data[:4096])
    if head is None:
        return None
    kind, width, height, largest = (int(part) for part in head.groups())
    if not 255 < largest < 65536:
        return None
    shape = (height, width, 3 if kind in (3, 6) else 1)
    return shape, PixelType("uint16", 0.0, float(largest)), head.end()


def deep_pnm_pixels(data: bytes, shape: tuple[int, int, int], start: int) -> Array:
    """Decode a PGM or PPM of more than 8 bits, uint16 of a shape (H, W, C)."""
    count = shape[0] * shape[1] * shape[2]
    # A number takes two bytes, and in plain files a space as well but for the last.
    if not 0 < 2 * count <= len(data) - start + 1:
        raise ValueError("it is cut off")
    if data[1:2] in b"23":
        values = np.array(data[start:].split()[:count], dtype=np.uint16)
    else:
        values = np.frombuffer(data[start : start + 2 * count], np.uint8)
        values = values[: len(values) // 2 * 2].view(">u2").astype(np.uint16)
    if len(values) != count:
        raise ValueError("it is cut off")
    return values.reshape(shape)
