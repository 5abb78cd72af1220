"""Image files of a folder or zip, decoded one at a time to one shape; no classes, no splits."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lightning_gan.data.memory import ImageMemoryError
from lightning_gan.data.pixel_arrays import Array, in_channels, resized, retyped
from lightning_gan.data.pixels import ImageHeader, read_header, read_pixels
from lightning_gan.data.window import PixelType, Window, check_floats, check_window
from lightning_gan.errors import InputError, nearest

_LARGEST = 2**30  # bytes of a zip member; a small zip can hold one of any size


class ImageFiles(Dataset[Tensor]):
    """A source of images: each file or zip member is decoded when it is asked for.

    Images are turned upright as their files say, transparent ones put on white, animations cut to
    their first frame; a TIFF of several pages is refused. Pixels keep the type of the first file,
    to which those of fewer bits are scaled. Threads may read at the same time; each process opens
    the zip for itself.

    Args:
        root: The folder or zip file.
        names: The images below it, at least one.
        channels: 1 for gray, 3 for color, or as many as the files have; None as the first image
            has it.
        image_size: Side in pixels to which images are resized, to a square and with antialiasing;
            None keeps their size, which has to be the same for all.
        black: The value that is black, of whites and blacks in the files; None as the type of the
            pixels has it, 0 of unsigned ones.
        white: The value that is white, likewise; 65535 of 16 bits.
        pixel_type: Type of the pixels; None as the first image has it.

    Attributes:
        native_shape: Shape of the first image before resizing, (C, H, W).
        pixel_type: Type of the pixels.
        window: Which of their values are black and white.
        windowed: Whether the window was asked for.

    Raises:
        InputError: The first image cannot be read, or black and white do not fit it.
    """

    def __init__(
        self,
        root: Path,
        names: Sequence[str],
        channels: int | None = None,
        image_size: int | None = None,
        *,
        black: float | None = None,
        white: float | None = None,
        pixel_type: PixelType | None = None,
    ) -> None:
        self.root = root
        self.names = names
        self.image_size = image_size
        self._archive: zipfile.ZipFile | None = None
        self._opened_by: int | None = None
        first: ImageHeader = self._attempt(read_header, names[0])
        width, height = first.size
        self.native_shape = (channels or first.channels, height, width)
        self.pixel_type = pixel_type or first.type
        check_window(black, white, self.pixel_type)
        self.windowed = (black, white) != (None, None)
        self.window: Window = self.pixel_type.window(black, white)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Tensor:
        """Decode one image.

        Returns:
            Of the type of ``pixel_type``, shape (C, H, W).

        Raises:
            InputError: It cannot be read, has another size than the first and no ``image_size``
                makes them the same, or has pixels or channels that do not become those of the
                first.
        """
        name = self.names[index]
        decoded, kind = self._attempt(self._pixels, name)
        values = self._typed(decoded, kind, name)
        channels, height, width = self.native_shape
        if self.image_size is not None:
            values = resized(values, self.image_size)
        elif values.shape[:2] != (height, width):
            raise InputError(
                f"{self.names[0]} has {width}x{height} pixels and {name} "
                f"{values.shape[1]}x{values.shape[0]} in {self.root}: "
                "set image_size to resize all images"
            )
        found = in_channels(values, channels)
        if found is None:
            raise InputError(
                f"{name} in {self.root} has {values.shape[2]} channels, and {channels} are "
                "expected: convert it, or leave it out"
            )
        pixels = torch.from_numpy(np.ascontiguousarray(found)).permute(2, 0, 1)
        if self.pixel_type.is_float:
            check_floats(pixels, f"{name} in {self.root}", any_range=self.windowed)
        return pixels

    def _pixels(self, data: bytes) -> tuple[Array, PixelType]:
        return read_pixels(data, self.window if self.windowed else None)

    def _typed(self, values: Array, found: PixelType, name: str) -> Array:
        """Return an image's values as those of the set's type."""
        # A window is about the values of one type, not of others scaled to them.
        made = retyped(values, found, self.pixel_type)
        if made is None or (self.windowed and found != self.pixel_type):
            raise InputError(
                f"images in {self.root} have pixels of {self.pixel_type}, and {name} of {found}: "
                "convert them to one type"
            )
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_archive": None, "_opened_by": None}

    def _attempt(self, function: Callable[[bytes], Any], name: str) -> Any:
        try:
            return function(self._bytes(name))
        except MemoryError as error:
            raise ImageMemoryError(
                f"the image {name} in {self.root} takes more memory than there is: leave it out, "
                "or make it smaller"
            ) from error
        except InputError as error:
            raise InputError(f"cannot read the image {name} in {self.root}: {error}") from error
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
