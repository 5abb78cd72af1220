"""NumPy files of images and labels: their headers, their checks, and images picked from them."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from lightning_gan.data.loader import picked_rows
from lightning_gan.data.window import PIXEL_TYPES, PixelType, Window, check_floats
from lightning_gan.errors import InputError, nearest

_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True, eq=False)
class ImageRows:
    """Images of a NumPy file, or some of them, picked as the rows of a tensor are.

    They are read, not memory-mapped: pages of a mapping stay resident, how many come in with one
    image is the system's choice (megabytes, where it caches in large folios), and giving them back
    in time costs more than the reading. The file is opened for each batch, so that processes may
    share this object by fork or by pickle.

    Attributes:
        path: The file.
        offset: Bytes before the first image.
        shape: Shape of one image, (C, H, W).
        n: Images in the file.
        pixel_type: Type of their values.
        chosen: Which of them, int64; None for all.
        windowed: Whether floats may have values out of 0..1.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    n: int
    pixel_type: PixelType
    chosen: Tensor | None = None
    windowed: bool = False

    def __len__(self) -> int:
        return self.n if self.chosen is None else len(self.chosen)

    def __getitem__(self, index: int) -> Tensor:
        return self.index_select(0, torch.tensor([index]))[0]

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Read some images; the arguments are those of ``torch.Tensor.index_select``.

        Args:
            dim: 0, the dimension of the images.
            index: Which, int64 in 0..len(self)-1, shape (B,).

        Returns:
            Of ``pixel_type``, shape (B, C, H, W).

        Raises:
            InputError: The file is gone or has become shorter, or has floats that are not finite
                or, without a window, not in 0..1.
        """
        images = self._picked(index)
        if self.pixel_type.is_float and len(images):
            check_floats(images, str(self.path), any_range=self.windowed)
        return images

    def _picked(self, index: Tensor) -> Tensor:
        places = index if self.chosen is None else self.chosen[index]
        first = int(places.min())
        length = int(places.max()) + 1 - first
        if length <= 2 * len(places):  # close together: one piece is faster, whatever it has beside
            return picked_rows(self._read([first], length).squeeze(0), places - first)
        return self._read(places.tolist(), 1).squeeze(1)

    def _read(self, places: list[int], length: int) -> Tensor:
        """Read pieces of ``length`` images, shape (len(places), length, C, H, W)."""
        dtype = self.pixel_type.dtype
        images = torch.empty((len(places), length, *self.shape), dtype=dtype)
        size = math.prod(self.shape) * dtype.itemsize
        starts = [self.offset + place * size for place in places]
        try:
            with self.path.open("rb", buffering=0) as file:
                _announce(file.fileno(), starts, length * size)
                for start, piece in zip(starts, images.numpy(), strict=True):
                    file.seek(start)
                    _fill(memoryview(piece).cast("B"), file)
        except (OSError, EOFError) as error:
            raise InputError(
                f"cannot read images of {self.path} ({error}): "
                "leave the file in its place while it is in use"
            ) from error
        return images


def _fill(piece: memoryview, file: BinaryIO) -> None:
    """Read until a piece is full; one read may bring less, and never brings more than 2 GiB."""
    while piece:
        count = file.readinto(piece)  # type: ignore[attr-defined]
        if not count:
            raise EOFError("it has become shorter")
        piece = piece[count:]


def image_rows(root: Path) -> ImageRows:
    """Return the images of a folder's images.npy, of which the header alone is read.

    Raises:
        InputError: The file is absent, damaged, or of another type, shape or order.
    """
    _check_root(root)
    path = root / "images.npy"
    shape, fortran_order, dtype, offset = _header(path)
    if dtype.name not in PIXEL_TYPES:
        raise InputError(
            f"{path} must be of a type of {', '.join(PIXEL_TYPES)}, got {dtype}: convert the images"
        )
    if not dtype.isnative:
        raise InputError(
            f"{path} must be in this machine's byte order, got {dtype.str}: write "
            f"images.astype('{dtype.name}')"
        )
    if len(shape) != 4 or min(shape) < 1:
        raise InputError(
            f"{path} must have the shape (N, C, H, W), each at least 1, got {shape}: "
            "reshape the images"
        )
    if shape[3] in (1, 3, 4) and shape[1] > 4 and shape[2] != shape[3]:
        raise InputError(
            f"{path} must have the shape (N, C, H, W), got {shape}, which looks like "
            "(N, H, W, C): write numpy.ascontiguousarray(images.transpose(0, 3, 1, 2))"
        )
    if fortran_order:
        raise InputError(
            f"{path} must be in C order, got Fortran order: write numpy.ascontiguousarray(images)"
        )
    _check_length(path, offset, shape, dtype)
    return ImageRows(path, offset, shape[1:], shape[0], PixelType.of(dtype.name))


def read_window(root: Path) -> Window | None:
    """Read a folder's window.npy, black and white of its images, if there is one.

    Raises:
        InputError: The file is damaged or does not hold two numbers in this order.
    """
    path = root / "window.npy"
    if not path.is_file():
        return None
    shape, _, dtype, offset = _header(path)
    if dtype.kind not in "iuf" or shape != (2,):
        raise InputError(
            f"{path} must hold two numbers, black and white, got {dtype} of shape {shape}: write "
            "them, or delete the file"
        )
    _check_length(path, offset, shape, dtype)
    black, white = np.load(path, allow_pickle=False).astype(float).tolist()
    if not (math.isfinite(black) and math.isfinite(white) and black < white):
        raise InputError(
            f"{path} must hold black below white, got {black:.10g} and {white:.10g}: write them, "
            "or delete the file"
        )
    return Window(black, white)


def read_labels(root: Path, n: int) -> Tensor | None:
    """Read a folder's labels.npy, if there is one.

    Args:
        root: The folder.
        n: Number of its images.

    Returns:
        int64 in 0..K-1, shape (n,), or None.

    Raises:
        InputError: The file is damaged or of another type or shape, or a label is negative.
    """
    path = root / "labels.npy"
    if not path.is_file():
        return None
    shape, _, dtype, offset = _header(path)
    if dtype.kind not in "iu":
        raise InputError(f"{path} must hold integers 0..K-1, got {dtype}: convert the labels")
    if shape != (n,):
        raise InputError(
            f"{path} must have the shape ({n},), a label for each of the images, got {shape}: "
            "write one label for each image, or delete the file"
        )
    _check_length(path, offset, shape, dtype)
    labels = torch.from_numpy(np.load(path, allow_pickle=False).astype(np.int64))
    if labels.min() < 0:
        raise InputError(
            f"{path} must hold integers 0..K-1, got {int(labels.min())}: number the classes from 0"
        )
    if labels.max() >= max(n, 2**16):
        raise InputError(
            f"{path} must hold integers 0..K-1, got {int(labels.max())} with {n} images: "
            "number the classes from 0"
        )
    return labels


def _announce(file: int, starts: list[int], size: int) -> None:
    """Let the system fetch at the same time what is not in its cache, where it can be asked to."""
    if hasattr(os, "posix_fadvise"):
        for start in starts:
            os.posix_fadvise(file, start, size, os.POSIX_FADV_WILLNEED)


def _check_root(root: Path) -> None:
    if not root.exists():
        siblings = [path.name for path in root.parent.iterdir()] if root.parent.is_dir() else []
        raise InputError(f"root {root} does not exist{nearest(root.name, siblings)}")
    if not root.is_dir():
        raise InputError(f"root {root} is a file: set it to the folder that holds images.npy")
    if not (root / "images.npy").is_file():
        raise InputError(
            f"root {root} has no images.npy in it: write one with "
            "lightning_gan.data.save_arrays, or use ImageFolder for a folder of image files"
        )


def _header(path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Return shape, whether the order is Fortran's, type, and the length of the header."""
    try:
        with path.open("rb") as file:
            read = _READERS[np.lib.format.read_magic(file)]
            shape, fortran_order, dtype = read(file)
            return shape, fortran_order, dtype, file.tell()
    except Exception as error:  # a damaged header fails in its own way
        raise InputError(
            f"{path} is damaged or not a file of numpy.save: write it again"
        ) from error


def _check_length(path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    expected, found = offset + dtype.itemsize * math.prod(shape), path.stat().st_size
    if expected != found:
        raise InputError(
            f"{path} must have {expected} bytes for an array of shape {shape}, got {found}: "
            "write or copy it again"
        )
