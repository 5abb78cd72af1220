"""What the headers of image files say, and what of them together decides how images are served."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from PIL import Image
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor

from lightning_gan.data import pixels
from lightning_gan.data.deep_pixels import UINT16, deep_png_channels, deep_pnm, is_deep_png
from lightning_gan.data.file_listing import FileTree, why
from lightning_gan.data.many_files import MANY, in_threads, kept_of, outcome
from lightning_gan.data.tiff_pixels import is_tiff
from lightning_gan.data.window import PixelType

_TURNED = (5, 6, 7, 8)  # Exif orientations that swap width and height


class Header(NamedTuple):
    """What one image file says of itself.

    Attributes:
        mode: Pillow's name of its kind of pixels.
        channels: 1 for gray, 3 for color.
        width: In pixels, upright.
        height: In pixels, upright.
        transparent: Whether pixels may be transparent.
        type: Of its values.
    """

    mode: str
    channels: int
    width: int
    height: int
    transparent: bool
    type: PixelType = PixelType.of("uint8")


def header_of_file(tree: FileTree, name: str) -> Header:
    """Read one header; no pixel is decoded."""
    with tree.open(name) as file:
        head = file.read(4096)
        if not head:
            raise ValueError("the file is empty")
        if is_tiff(head) or deep_pnm(head) is not None:
            found = pixels.read_header(head + file.read())
            mode = f"{found.channels}x{found.type.name}"
            return Header(mode, found.channels, *found.size, False, found.type)
        file.seek(0)
        with Image.open(file) as image:
            width, height = image.size
            # That of PNG images would decode them, to find Exif data behind the pixels.
            if Image.Image.getexif(image).get(0x0112) in _TURNED:
                width, height = height, width
            gray = image.mode in ("1", "L", "LA", "F") or image.mode.startswith("I")
            transparent = image.has_transparency_data
            type_, channels = pixels.type_of(image.mode), 1 if gray else 3
            if is_deep_png(head):
                type_, channels = UINT16, deep_png_channels(head)
            return Header(image.mode, channels, width, height, transparent, type_)


def read_headers(tree: FileTree, names: Sequence[str]) -> tuple[dict[str, Header], dict[str, str]]:
    """Read the headers of all images, or take them from the cache where they are many.

    Returns:
        The headers by name, and why each of the others cannot be read.
    """
    broken: dict[str, str] = {}

    def make() -> dict[str, Tensor]:
        if len(names) >= MANY:
            rank_zero_info(f"{tree.root}: reading the headers of {len(names):,} images, once")
        headers, failed = _read(tree, names)
        broken.update(failed)
        return _packed([headers.get(name) for name in names])

    unpacked = _unpacked(kept_of("headers", tree, names, make))
    headers = {name: h for name, h in zip(names, unpacked, strict=True) if h is not None}
    absent = [name for name in names if name not in headers and name not in broken]
    again, failed = _read(tree, absent)  # those that were broken when the others were kept
    return headers | again, broken | failed


def _read(tree: FileTree, names: Sequence[str]) -> tuple[dict[str, Header], dict[str, str]]:
    results = in_threads(partial(outcome, partial(header_of_file, tree)), names)
    headers: dict[str, Header] = {}
    broken: dict[str, str] = {}
    for name, result in zip(names, results, strict=True):
        if isinstance(result, Header):
            headers[name] = result
        else:
            broken[name] = why(result)
    return headers, broken


def _packed(headers: Sequence[Header | None]) -> dict[str, Tensor]:
    """Return headers as tensors: the different ones, and which each image has; -1 for none."""
    places: dict[Header, int] = {}
    which = [-1 if h is None else places.setdefault(h, len(places)) for h in headers]
    modes = "\n".join(f"{h.mode} {h.type.name} {h.type.white:.17g}" for h in places).encode()
    numbers = [[h.channels, h.width, h.height, h.transparent] for h in places]
    return {
        "modes": torch.tensor(list(modes), dtype=torch.uint8),
        "numbers": torch.tensor(numbers, dtype=torch.int64).view(-1, 4),
        "which": torch.tensor(which, dtype=torch.int32),
    }


def _unpacked(tensors: dict[str, Tensor]) -> list[Header | None]:
    modes = bytes(tensors["modes"].tolist()).decode().split("\n")
    numbers = tensors["numbers"].tolist()
    different = [
        Header(mode.split()[0], channels, width, height, bool(transparent), _type(mode))
        for mode, (channels, width, height, transparent) in zip(modes, numbers, strict=False)
    ]
    return [None if place < 0 else different[place] for place in tensors["which"].tolist()]


def _type(mode: str) -> PixelType:
    _, name, white = mode.split()
    whole = PixelType.of(name)
    return PixelType(name, whole.black, float(white)) if name.startswith("u") else whole
