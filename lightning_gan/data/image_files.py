"""Image files of a folder or zip, decoded one at a time to one shape; no classes, no splits."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from lightning_gan.errors import InputError, nearest

_LARGEST = 2**30  # bytes of a zip member; a small zip can hold one of any size
_TURNED = (5, 6, 7, 8)  # Exif orientations that swap width and height


class ImageFiles(Dataset[Tensor]):
    """A source of images: each file or zip member is decoded when it is asked for.

    Images are turned upright as their Exif data say, transparent ones put on white, 16-bit ones cut
    to 8 bits, animations to their first frame. Threads may read at the same time; each process
    opens the zip for itself.

    Args:
        root: The folder or zip file.
        names: The images below it, at least one.
        channels: 1 for gray, 3 for color; None as the first image has it.
        image_size: Side in pixels to which images are resized, to a square and with antialiasing;
            None keeps their size, which has to be the same for all.

    Attributes:
        native_shape: Shape of the first image before resizing, (C, H, W).

    Raises:
        InputError: The first image cannot be read.
    """

    def __init__(
        self,
        root: Path,
        names: Sequence[str],
        channels: int | None = None,
        image_size: int | None = None,
    ) -> None:
        self.root = root
        self.names = names
        self.image_size = image_size
        self._archive: zipfile.ZipFile | None = None
        self._opened_by: int | None = None
        first_channels, (width, height) = self._attempt(_header, names[0])
        self.native_shape = (channels or first_channels, height, width)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Tensor:
        """Decode one image.

        Returns:
            uint8 in 0..255, shape (C, H, W).

        Raises:
            InputError: It cannot be read, or has another size than the first and no ``image_size``
                makes them the same.
        """
        name = self.names[index]
        image = self._attempt(_upright, name)
        channels, height, width = self.native_shape
        if self.image_size is not None:
            image = image.resize((self.image_size, self.image_size), Image.Resampling.BILINEAR)
        elif image.size != (width, height):
            raise InputError(
                f"{self.names[0]} has {width}x{height} pixels and {name} "
                f"{image.width}x{image.height} in {self.root}: "
                "set image_size to resize all images"
            )
        pixels = np.array(image.convert("L" if channels == 1 else "RGB"))
        return torch.from_numpy(pixels).view(image.height, image.width, channels).permute(2, 0, 1)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_archive": None, "_opened_by": None}

    def _attempt(self, function: Callable[[bytes], Any], name: str) -> Any:
        try:
            return function(self._bytes(name))
        except MemoryError:
            raise
        except Exception as error:  # each decoder fails in its own way
            raise InputError(
                f"cannot read the image {name} in {self.root} ({error}): repair or remove it"
            ) from error

    def _bytes(self, name: str) -> bytes:
        if self.root.is_dir():
            return (self.root / name).read_bytes()
        if self._archive is None or self._opened_by != os.getpid():
            # A fork shares the place in the file: two processes would read each other's bytes.
            self._archive, self._opened_by = zipfile.ZipFile(self.root), os.getpid()
        size = self._archive.getinfo(name).file_size
        if size > _LARGEST:
            raise ValueError(f"it unpacks to {size:,} bytes")
        return self._archive.read(name)


def listing(root: Path) -> list[str]:
    """Return the names in a folder or zip, at any depth; those of folders end in a slash.

    Raises:
        InputError: The root is absent or not a zip file.
    """
    if root.is_dir():
        return _walk(root)
    if root.is_file():
        try:
            with zipfile.ZipFile(root) as archive:
                return archive.namelist()
        except Exception as error:  # a damaged archive fails in its own way
            raise InputError(
                f"root {root} is a file but not a (complete) zip file: "
                "set it to a folder of images or a zip of one"
            ) from error
    siblings = [path.name for path in root.parent.iterdir()] if root.parent.is_dir() else []
    raise InputError(f"root {root} does not exist{nearest(root.name, siblings)}")


def _walk(root: Path) -> list[str]:
    names = []
    for folder, folders, files in os.walk(root, followlinks=True):
        path = Path(folder).relative_to(root)
        names += [f"{(path / name).as_posix()}/" for name in folders]
        names += [(path / name).as_posix() for name in files]
    return names


def _header(data: bytes) -> tuple[int, tuple[int, int]]:
    """Return the channels and the upright (width, height) of an image without decoding it."""
    image = Image.open(io.BytesIO(data))
    width, height = image.size
    if image.getexif().get(0x0112) in _TURNED:
        width, height = height, width
    gray = image.mode in ("1", "L", "LA") or image.mode.startswith("I")
    return (1 if gray else 3), (width, height)


def _upright(data: bytes) -> Image.Image:
    """Decode an image of any mode to 8 bits a channel, without transparency."""
    image: Image.Image = Image.open(io.BytesIO(data))
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "F":
        raise ValueError("pixels are 32-bit floats of unknown range")
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "L" else image.convert("RGB")
