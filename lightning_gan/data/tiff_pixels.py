"""TIFF files by their own tags: bits, sign, photometric interpretation, planes, orientation."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightning_gan.data.pixel_arrays import (
    Array,
    from_cmyk,
    on_white,
    reflected,
    rounded,
    turned,
)
from lightning_gan.data.window import PIXEL_TYPES, PixelType, Window
from lightning_gan.errors import InputError

LARGEST = 2**30  # bytes of one image; a small file can hold one of any size
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _INKS, _YCBCR = 0, 1, 2, 3, 5, 6
_COLORS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _INKS: 4}
_WHOLE, _SIGNED, _FLOAT = 1, 2, 3  # formats of samples
_MULTIPLIED, _ALPHA = 1, 2  # kinds of extra samples
_REDUCED = 1 | 4  # pages that are smaller versions of others, or masks


# What it says of damaged files is said by an error in the end; who listens to it still hears it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


class ForPillowError(Exception):
    """A TIFF of 8 bits in a color space or compression that Pillow reads right."""


def is_tiff(data: bytes) -> bool:
    """Whether a file is a TIFF, by its first bytes."""
    return data[:4] in _MAGIC


@dataclass(frozen=True)
class TiffTags:
    """What the tags of a TIFF say of its image.

    Attributes:
        type: Of its values, those of fewer than 8 bits spread over 8.
        bits: Of each value in the file.
        channels: Of the image as it is read, alpha aside.
        size: Upright (width, height).
        photometric: The number that says which value is what color.
        alpha: How opacity is kept, a kind of extra sample; None: there is none.
        orientation: 1..8.
        planes: Whether channels are pages of their own.
    """

    type: PixelType
    bits: int
    channels: int
    size: tuple[int, int]
    photometric: int
    alpha: int | None
    orientation: int
    planes: bool


def tiff_tags(data: bytes) -> TiffTags:
    """Read the tags alone.

    Raises:
        InputError: It holds what is no image to us.
        ForPillowError: Pillow reads it.
    """
    with _opened(data) as (_, tags, _series):
        return tags


def tiff_pixels(data: bytes, window: Window | None) -> tuple[Array, PixelType]:
    """Decode a TIFF.

    Args:
        data: The file.
        window: What is black and white; None: as the type has it.

    Returns:
        Values, shape (H, W, C), and their type.

    Raises:
        InputError: It holds what is no image to us, or a codec is not installed.
        ForPillowError: Pillow reads it.
    """
    with _opened(data) as (page, tags, series):
        _check_whole(page, len(data))
        try:
            values = series.asarray(maxworkers=1) if tags.planes else page.asarray(maxworkers=1)
        except (ValueError, ImportError) as error:
            if "imagecodecs" not in str(error):
                raise
            if tags.bits == 8 and not tags.type.is_signed and tags.channels in (1, 3):
                raise ForPillowError from error
            raise InputError(
                f"it is compressed with {_name(page.compression)}, which needs the package "
                "imagecodecs: pip install 'lightning-gan[tiff]'"
            ) from error
        colormap = None if tags.photometric != _PALETTE else page.colormap
        axes = "SYX" if tags.planes else page.axes
    values = values[..., None] if axes == "YX" else values
    values = np.moveaxis(values, 0, 2) if axes == "SYX" else values
    window = window or tags.type.window()
    return turned(_in_color(values, tags, colormap, window), tags.orientation), tags.type


def _in_color(values: Array, tags: TiffTags, colormap: Any, window: Window) -> Array:
    """Return gray or color without alpha, larger values lighter."""
    dtype = np.dtype(tags.type.name)
    if colormap is not None:
        # 16 bits by the standard; some programs write 8, as the largest tells.
        table: Array = (colormap >> 8 if colormap.max() > 255 else colormap).astype(np.uint8)
        colors: Array = table.T[values[..., 0].astype(np.intp)]
        return colors
    if tags.bits < 8:
        values = rounded(values.astype(np.float64) * (255 / (2**tags.bits - 1)), dtype)
    values = values.astype(dtype, copy=False)
    alpha = None
    if tags.alpha is not None:
        values, alpha = values[..., :-1], values[..., -1]
    if tags.photometric == _INKS:
        values = from_cmyk(values, tags.type.white)
    if tags.photometric == _WHITE_IS_ZERO:
        values = reflected(values, window)
    if alpha is not None:
        values = on_white(values, alpha, tags.type.white, window, tags.alpha == _MULTIPLIED)
    return values


@contextmanager
def _opened(data: bytes) -> Iterator[tuple[Any, TiffTags, Any]]:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        series = file.series[0]
        yield page, _described(page, series, _count_pages(file)), series


def _count_pages(file: Any) -> int:
    """Return the number of images, 2 for any number above 1."""
    count = 0
    for number, _ in enumerate(file.pages):
        page = file.pages[number]
        count += not int(getattr(page, "subfiletype", 0)) & _REDUCED
        if count > 1:
            break
    return count


def _described(page: Any, series: Any, count: int) -> TiffTags:
    if 262 not in page.tags:
        raise ValueError("no tag says whether 0 is black")
    bits, photometric = page.bitspersample, int(page.photometric)
    if not isinstance(bits, int) or page.dtype is None:
        raise InputError(f"its channels are of different types ({bits} bits): convert it")
    if photometric == _YCBCR or photometric not in _COLORS:
        if bits == 8 and photometric == _YCBCR:
            raise ForPillowError
        raise InputError(
            f"it is in the color space {_name(page.photometric)}: convert it to gray or RGB"
        )
    name = _type_name(page, bits)
    if max(page.nbytes, series.nbytes) > LARGEST:
        raise ValueError(f"it unpacks to {max(page.nbytes, series.nbytes):,} bytes")
    planes = series.axes == "CYX" and page.axes == "YX"
    if not planes and (count > 1 or series.size > page.size):
        raise InputError(
            f"it holds several pages ({series.axes} {'x'.join(map(str, series.shape))}): write "
            "each page as a file of its own"
        )
    if page.axes not in ("YX", "YXS", "SYX"):
        raise InputError(f"it is no plane image (axes {page.axes}): write each plane as a file")
    colors = _COLORS[photometric]
    samples = series.shape[0] if planes else page.samplesperpixel
    alpha = _alpha(page, samples - colors)
    channels = 3 if photometric in (_PALETTE, _INKS) else samples - (alpha is not None)
    if (photometric in (_PALETTE, _INKS) and samples - (alpha is not None) != colors) or (
        photometric == _PALETTE and (alpha is not None or page.colormap is None or bits > 16)
    ):
        raise InputError(
            f"it has {samples} channels in the color space {_name(page.photometric)}: convert it "
            "to gray or RGB"
        )
    small = photometric == _PALETTE or bits < 8
    kind = PixelType.of("uint8") if small else PixelType.of(name, bits)
    orientation = page.tags.get(274)
    return TiffTags(
        kind,
        bits,
        channels,
        _upright(page, int(orientation.value) if orientation else 1),
        photometric,
        alpha,
        int(orientation.value) if orientation else 1,
        planes,
    )


def _upright(page: Any, orientation: int) -> tuple[int, int]:
    size = (page.imagewidth, page.imagelength)
    return size[::-1] if orientation in (5, 6, 7, 8) else size


def _type_name(page: Any, bits: int) -> str:
    """Return the name of the type that holds a page's values."""
    known = {_WHOLE: "uint", _SIGNED: "int", _FLOAT: "float"}
    kind = known.get(int(page.sampleformat))
    width = next((width for width in (8, 16, 32, 64) if bits <= width), 128)
    name = f"{kind}{width}"
    if name not in PIXEL_TYPES or (kind != "uint" and width != bits):
        raise InputError(
            f"its pixels are of the type {page.dtype} with {bits} bits: convert them to one of "
            f"{', '.join(PIXEL_TYPES)}"
        )
    return name


def _alpha(page: Any, extra: int) -> int | None:
    """Return how the last of a page's extra samples keeps opacity, None where it is a channel."""
    kinds = [int(kind) for kind in page.extrasamples or ()][:extra]
    if not any(kinds):
        return None
    if len(kinds) > 1 or kinds[0] not in (_MULTIPLIED, _ALPHA):
        raise InputError(
            f"it has {extra} extra channels of which some are opacity: leave opacity out"
        )
    return kinds[0]


def _check_whole(page: Any, size: int) -> None:
    """Refuse a file that has been cut off, or lacks parts, which would be read as black."""
    places = zip(page.dataoffsets, page.databytecounts, strict=True)
    if any(n < 1 or start + n > size for start, n in places):
        raise ValueError("it is cut off")
    if len(page.dataoffsets) != math.prod(page.chunked):
        raise ValueError(f"it has {len(page.dataoffsets)} of {math.prod(page.chunked)} parts")


def _name(value: Any) -> str:
    return str(getattr(value, "name", value))
