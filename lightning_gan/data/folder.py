"""Images from a folder of class folders, a folder of images, or a zip of either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor
from torch.utils.data import Subset

from lightning_gan.data.base import ImageData, Images, Split
from lightning_gan.data.holdout import Holdout
from lightning_gan.data.image_files import ImageFiles, listing
from lightning_gan.data.source_loader import ImageSource
from lightning_gan.data.window import PixelType, Window
from lightning_gan.errors import InputError

_SUFFIXES = (
    ".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip


class ImageFolder(ImageData):
    """Images from a folder with one folder for each class, or from a zip of such a folder.

    Classes are numbered in the order of their sorted names. Images without class folders are
    unlabeled; a single folder around everything counts for nothing. Hidden files and files that
    are no images by their names are left out. Images are turned upright as their files say,
    transparent ones put on white, animations cut to their first frame. Those of more than 8 bits
    and of any number of channels keep both.

    A fraction of the images, chosen once and for all, is held out for validation and testing.

    Images that do not fit in memory are read from their files whenever a batch needs them; the
    batches are the same, and a run may go on in the other way than it began. A damaged file is then
    found when its turn comes.

    Args:
        root: The folder or zip file.
        channels: 1 for gray, 3 for color, or as many as the files have; None as the first image
            has it.
        holdout: Fraction of the images held out, in [0, 1). With 0, training, validation and
            testing all use all images.
        in_memory: Decode all images once, when a run starts, and hold them in memory. None: where
            they fit, otherwise a warning says that they are read from their files. False: always
            from their files.
        num_workers: Processes that read files ahead, beside each training process, at least 0; of
            no use to images in memory.
        black: The value in the files that is black, for those of more than 8 bits; None: the least
            that there can be.
        white: The value that is white, such as 4095 for 12 bits kept in 16; None: the largest that
            there can be, and 1 of floats.
        **options: Arguments of :class:`~lightning_gan.data.ImageData`; ``image_size`` is needed
            where sizes differ.

    Attributes:
        class_names: Name of each class, or None for unlabeled images.

    Raises:
        InputError: The root is absent, not a zip file, has no images or is not laid out as above,
            or an argument is out of range.
    """

    def __init__(
        self,
        root: str,
        channels: int | None = None,
        holdout: float = 0.1,
        in_memory: bool | None = None,
        num_workers: int = 0,
        black: float | None = None,
        white: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if channels is not None and channels < 1:
            raise InputError(f"channels must be at least 1 or null, got {channels}")
        Holdout.check(holdout)
        if num_workers < 0:
            raise InputError(f"num_workers must be at least 0, got {num_workers}")
        self.root = Path(root).expanduser()
        self._in_memory, self._may_leave = in_memory, in_memory is None
        self.num_workers = num_workers
        names, self.class_names = _layout(self.root, listing(self.root))
        self._files = ImageFiles(
            self.root, names, channels, self.image_size, black=black, white=white
        )
        self._holdout = Holdout(len(names), holdout)

    @property
    def native_shape(self) -> tuple[int, ...]:
        """Shape of the first image."""
        return self._files.native_shape

    @property
    def pixel_type(self) -> PixelType:
        """Type of the first image's values."""
        return self._files.pixel_type

    @property
    def window(self) -> Window:
        """Which values are black and white."""
        return self._files.window

    @property
    def windowed(self) -> bool:
        """Whether black or white were given."""
        return self._files.windowed

    @property
    def native_classes(self) -> int | None:
        """Number of class folders."""
        return None if self.class_names is None else len(self.class_names)

    def source(self, split: Split) -> tuple[ImageSource, Tensor | None] | None:
        """Return the files of one split, or None where the images are held in memory."""
        return None if self._is_in_memory() else self._part(split)

    def load(self, split: Split) -> Images:
        """Decode one split, resized to ``image_size`` where it is given."""
        if split == "test" and self._holdout.size == 0:
            return self._split("train")
        files, labels = self._part(split)
        return self.read(files), labels

    def leave_memory(self) -> bool:
        """Read images from their files from now on, unless memory was asked for."""
        if self._may_leave:
            self._read_from_files(f"memory for {len(self._files)} images could not be allocated")
        return self._may_leave

    def _is_in_memory(self) -> bool:
        """Decide, once and before anything is read, where batches come from."""
        if self._in_memory is None:
            self._in_memory = True
            if short := self.shortage(len(self._files)):
                self._read_from_files(short)
        return self._in_memory

    def _read_from_files(self, reason: str) -> None:
        self._in_memory = False
        rank_zero_warn(
            f"{reason}: they are read from their files in every epoch, which more "
            f"num_workers (now {self.num_workers}) make faster"
        )

    def _part(self, split: Split) -> tuple[ImageSource, Tensor | None]:
        """Return the files and labels of a split."""
        chosen = self._holdout.places(split).tolist()
        return Subset(self._files, chosen), self._classes(chosen)

    def _classes(self, chosen: list[int]) -> Tensor | None:
        if self.class_names is None:
            return None
        numbers = {name: number for number, name in enumerate(self.class_names)}
        folders = (self._files.names[index].split("/")[-2] for index in chosen)
        return torch.tensor([numbers[folder] for folder in folders], dtype=torch.int64)


def _layout(root: Path, listing: list[str]) -> tuple[list[str], list[str] | None]:
    """Return the sorted names of the images, and those of the classes or None."""
    listing = sorted(name for name in listing if not _is_hidden(name))
    images = [name for name in listing if name.lower().endswith(_SUFFIXES)]
    if not images:
        what = "no images" if any(not name.endswith("/") for name in listing) else "no files"
        raise InputError(f"root {root} has {what} ({' '.join(_SUFFIXES)}) in it")
    folders = [name for name in listing if name.endswith("/")]
    around = ""  # the single folders around everything, with a slash at the end
    while len(tops := {_top(name, around) for name in folders + images}) == 1:
        (only,) = tops
        if not only.endswith("/"):
            break
        around += only
        folders = [name for name in folders if name.startswith(around) and name != around]
    direct = [name for name in images if not _top(name, around).endswith("/")]
    classes = {top[:-1] for name in images if (top := _top(name, around)).endswith("/")}
    if direct and classes:
        raise InputError(
            f"root {root} has images both in class folders ({min(classes)}) and beside them "
            f"({direct[0]}): move or remove one kind"
        )
    if direct:
        return images, None
    deep = next((name for name in images if name[len(around) :].count("/") > 1), None)
    if deep is not None:
        raise InputError(
            f"root {root} has images below its class folders ({deep}): "
            f"set it to the folder whose folders are the classes, for example {Path(deep).parts[0]}"
        )
    empty = sorted({_top(name, around)[:-1] for name in folders} - classes)
    if empty:
        raise InputError(f"the class folder {empty[0]} in {root} has no images: remove or fill it")
    return images, sorted(classes)


def _top(name: str, around: str) -> str:
    """Return the first part of a name below ``around``; a folder's ends in a slash."""
    first, slash, _ = name.removeprefix(around).partition("/")
    return first + slash


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
