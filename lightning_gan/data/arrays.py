"""Images in NumPy files, for sets that memory does not hold: written once, read batch by batch."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from lightning_gan.data.array_files import ImageRows, image_rows, read_labels, read_window
from lightning_gan.data.base import ImageData, Images, Split
from lightning_gan.data.class_numbers import numbered
from lightning_gan.data.holdout import Holdout
from lightning_gan.data.source_loader import ImageSource
from lightning_gan.data.window import PixelType, Window, check_window
from lightning_gan.errors import InputError
from lightning_gan.files.whole import remove_abandoned, unfinished

_AT_ONCE = 2**25  # bytes of images that are converted, or copied into memory, at a time


class ArrayImages(ImageData):
    """Images of one NumPy file, served from memory or, where they do not fit, from the file.

    The folder holds ``images.npy``, uint8 or a type of more bits such as uint16 or float32, of
    shape (N, C, H, W), and may hold ``labels.npy``, integers of shape (N,), the classes, and
    ``window.npy``, two numbers that are black and white: what :func:`save_arrays` or ``numpy.save``
    writes.

    Labels that do not count 0..K-1 without gaps are numbered so, with a warning: 1..10 are ten
    classes, and 255 beside 0..9 is the eleventh.

    From the file a batch reads its own images and nothing more: the memory needed does not depend
    on N, but for 8 bytes an image for its place and label, and processes of one machine share what
    the system caches. The batches are the same as from memory, and a run may go on in the other way
    than it began. The files must not change meanwhile.

    A fraction of the images, chosen once and for all, is held out for validation and testing; the
    choice is the one that ImageFolder makes of equally many images.

    Args:
        root: The folder of arrays.
        holdout: Fraction of the images held out, in [0, 1). With 0, training, validation and
            testing all use all images.
        in_memory: Read all images once, when a run starts, and hold them in memory. None: where
            they fit. False: always read batches from the file.
        black: The value that is black; None as ``window.npy`` has it, otherwise the least that
            there can be.
        white: The value that is white, such as 4095 for 12 bits kept in 16; None as ``window.npy``
            has it, otherwise the largest that there can be, and 1 of floats.
        **options: Arguments of :class:`~lightning_gan.data.ImageData`; ``image_size`` resizes
            images in memory only.

    Attributes:
        class_names: The label of each class as it is in the file, or None for unlabeled images.

    Raises:
        InputError: A file is absent, damaged or of another type or shape, ``holdout`` is out of
            range, or images that stay in the file were to be resized.
    """

    def __init__(
        self,
        root: str,
        holdout: float = 0.1,
        in_memory: bool | None = None,
        black: float | None = None,
        white: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        Holdout.check(holdout)
        self.root = Path(os.path.expanduser(root))
        rows = image_rows(self.root)
        check_window(black, white, rows.pixel_type)
        asked = (black, white) != (None, None)
        beside = None if asked else read_window(self.root)
        self._window = beside or rows.pixel_type.window(black, white)
        self._rows = replace(rows, windowed=asked or beside is not None)
        self._labels = read_labels(self.root, len(self._rows))
        self.class_names: list[str] | None = None
        if self._labels is not None:
            values, self._labels = numbered(self._labels, str(self.root / "labels.npy"))
            self.class_names = [str(value) for value in values]
        self._holdout = Holdout(len(self._rows), holdout, self._labels)
        if short := self._holdout.shortage():
            rank_zero_warn(f"{self.root}: {short}")
        self._in_memory, self._may_leave = in_memory, in_memory is None
        if in_memory is False:
            self._check_size()

    @property
    def native_shape(self) -> tuple[int, ...]:
        """Shape of one image in the file."""
        return self._rows.shape

    @property
    def pixel_type(self) -> PixelType:
        """Type of the values in the file."""
        return self._rows.pixel_type

    @property
    def window(self) -> Window:
        """Which values are black and white."""
        return self._window

    @property
    def windowed(self) -> bool:
        """Whether black or white were given, or a file beside the images says them."""
        return self._rows.windowed

    @property
    def native_classes(self) -> int | None:
        """Number of different labels."""
        return None if self.class_names is None else len(self.class_names)

    def source(self, split: Split) -> tuple[ImageSource, Tensor | None] | None:
        """Return one split in the file, or None where the images are held in memory."""
        return None if self._is_in_memory() else self._part(split)

    def load(self, split: Split) -> Images:
        """Read one split into memory, resized to ``image_size`` where it is given."""
        if split == "test" and self._holdout.size == 0:
            return self._split("train")
        rows, labels = self._part(split)
        return self.read(rows), labels

    def read(self, source: ImageSource, indices: Tensor | None = None) -> Tensor:
        """Read images into memory, resized to ``image_size`` where it is given.

        Args:
            source: One split in the file.
            indices: Which of its images, int64, shape (N,); None for all.

        Returns:
            Of :attr:`pixel_type`, shape (N, *sample_shape).

        Raises:
            InputError: They do not fit in the available memory, or cannot be read.
        """
        assert isinstance(source, ImageRows)  # as source() returns them
        indices = torch.arange(len(source)) if indices is None else indices
        if short := self.shortage(len(indices)):
            instead = "set in_memory to false" if self._in_memory else "take fewer at a time"
            raise InputError(f"{short}: {instead}")
        images = self.allocate(len(indices))
        for part in _parts(len(indices), self.native_shape, self.pixel_type.dtype.itemsize):
            rows = source.index_select(0, indices[part])
            images[part] = rows if rows.shape[1:] == self.sample_shape else self._resize(rows)
        return images

    def leave_memory(self) -> bool:
        """Read images from the file from now on, unless memory was asked for."""
        if self._may_leave:
            self._in_memory = False
            self._check_size()
        return self._may_leave

    def _is_in_memory(self) -> bool:
        """Decide, once and before any image is read, where batches come from."""
        if self._in_memory is None:
            self._in_memory = self.shortage(len(self._rows)) is None
            if not self._in_memory:
                self._check_size()
        return self._in_memory

    def _check_size(self) -> None:
        """Refuse to resize images that stay in the file."""
        if self.sample_shape != self.native_shape:
            size = "x".join(map(str, self.native_shape[1:]))
            raise InputError(
                f"{self._rows.path} has images of {size} pixels, which are resized in memory only "
                f"and are not held there, got image_size {self.image_size}: leave "
                "image_size out, or write the arrays at that size"
            )

    def _part(self, split: Split) -> tuple[ImageRows, Tensor | None]:
        """Return the images and labels of a split."""
        if self._holdout.size == 0:
            return self._rows, self._labels
        chosen = self._holdout.places(split)
        labels = None if self._labels is None else self._labels[chosen]
        return replace(self._rows, chosen=chosen), labels


def save_arrays(data: ImageData, folder: str | Path, split: Split = "train") -> None:
    """Write one split of a data module as a folder for :class:`ArrayImages`, part by part.

    Images that the module reads from their files are never all in memory. To have all images of a
    folder, and the same ones held out afterwards, turn ``ImageFolder``'s own holdout off:

        save_arrays(ImageFolder("my_images", holdout=0, in_memory=False), "my_arrays")

    Pixels are written in the type that they have, and which of them are black and white beside
    them where that is not said by the type. A file takes its name when it is complete; labels are
    written where the data have some.

    Args:
        data: The images, of the size at which they are served; absent files are downloaded.
        folder: Made where it is absent.
        split: "train" or "test".

    Raises:
        InputError: The samples are not images, cannot be read, or the folder has such files already
            or cannot be written to.
    """
    folder = Path(os.path.expanduser(folder))
    shape = data.sample_shape
    if len(shape) != 3:
        raise InputError(
            f"save_arrays expects images of shape (C, H, W), {type(data).__name__} has samples of "
            f"shape {shape}: take the data as they are"
        )
    for name in ("images.npy", "labels.npy", "window.npy"):
        if (folder / name).exists():
            raise InputError(
                f"{folder} has {name} already: delete it, or choose another folder for save_arrays"
            )
    data.prepare_data()
    n = data.count(split)
    kind = np.dtype(data.pixel_type.name)
    header = {"descr": kind.str, "fortran_order": False, "shape": (n, *shape)}
    labels: list[Tensor] = []
    try:
        remove_abandoned(folder)
        with unfinished(folder / "images.npy") as place, place.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for part in _parts(n, shape, kind.itemsize):
                images, classes = data.pixels(split, labels=True, indices=torch.arange(n)[part])
                file.write(images.contiguous().view(torch.uint8).numpy().data)
                labels += [] if classes is None else [classes]
            if data.windowed or data.pixel_type != PixelType.of(kind.name):
                with unfinished(folder / "window.npy") as beside, beside.open("wb") as other:
                    np.save(other, np.array([data.window.black, data.window.white]))
            if labels:
                with unfinished(folder / "labels.npy") as beside, beside.open("wb") as other:
                    np.save(other, torch.cat(labels).numpy())  # there before the images are
    except OSError as error:
        raise InputError(
            f"cannot write arrays to {folder} ({error}): choose another folder for save_arrays"
        ) from error


def _parts(n: int, shape: tuple[int, ...], width: int) -> list[slice]:
    """Cut n images of values of so many bytes into parts of bounded size."""
    size = max(1, _AT_ONCE // (width * math.prod(shape)))
    return [slice(first, first + size) for first in range(0, n, size)]
