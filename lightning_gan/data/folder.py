"""Images from a folder of class folders, a folder of images, or a zip of either."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lightning_gan.data.base import ImageData, Images, Split
from lightning_gan.errors import InputError, nearest

_SUFFIXES = (
    ".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
_TURNED = (5, 6, 7, 8)  # Exif orientations that swap width and height


class ImageFolder(ImageData):
    """Images from a folder with one folder for each class, or from a zip of such a folder.

    Classes are numbered in the order of their sorted names. Images without class folders are
    unlabeled; a single folder around everything counts for nothing. Hidden files and files that
    are no images by their names are left out. Images are turned upright as their Exif data say,
    transparent ones put on white, 16-bit ones cut to 8 bits, animations to their first frame.

    A fraction of the images, chosen once and for all, is held out for validation and testing.

    Args:
        root: The folder or zip file.
        channels: 1 for gray, 3 for color; None as the first image has it.
        holdout: Fraction of the images held out, in [0, 1). With 0, training, validation and
            testing all use all images.
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
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if channels not in (None, 1, 3):
            raise InputError(f"data.channels must be 1, 3 or null, got {channels}")
        if not 0 <= holdout < 1:
            raise InputError(f"data.holdout must be at least 0 and below 1, got {holdout}")
        self.root = Path(root).expanduser()
        with _opened(self.root) as (listing, read):
            self._names, self.class_names = _layout(self.root, listing)
            first_channels, self._first_size = self._attempt(_header, self._names[0], read)
        self.channels = channels or first_channels
        n = len(self._names)
        self._held_out = min(max(1, round(n * holdout)), n - 1) if holdout else 0

    @property
    def native_shape(self) -> tuple[int, ...]:
        """Shape of the first image."""
        width, height = self._first_size
        return (self.channels, height, width)

    @property
    def native_classes(self) -> int | None:
        """Number of class folders."""
        return None if self.class_names is None else len(self.class_names)

    def load(self, split: Split) -> Images:
        """Decode one split, resized to ``image_size`` where it is given."""
        if split == "test" and self._held_out == 0:
            return self._split("train")
        names = self._members(split)
        images = self.allocate(len(names))
        pixels = images.permute(0, 2, 3, 1).numpy()  # (N, H, W, C), the same memory
        with _opened(self.root) as (_, read), ThreadPoolExecutor(os.cpu_count()) as pool:

            def fill(index: int) -> None:
                pixels[index] = self._decode(names[index], read)

            for _ in pool.map(fill, range(len(names))):
                pass  # the first error, in order, is raised here
        return images, self._classes(names)

    def _members(self, split: Split) -> list[str]:
        """Return the names of a split; the choice depends on the number of images alone."""
        order = np.random.default_rng(0).permutation(len(self._names))
        chosen = order[: self._held_out] if split == "test" else order[self._held_out :]
        return [self._names[index] for index in sorted(chosen)]

    def _classes(self, names: list[str]) -> torch.Tensor | None:
        if self.class_names is None:
            return None
        numbers = {name: number for number, name in enumerate(self.class_names)}
        return torch.tensor([numbers[name.split("/")[-2]] for name in names], dtype=torch.int64)

    def _decode(self, name: str, read: Callable[[str], bytes]) -> NDArray[np.uint8]:
        """Return one image, uint8 of shape (H, W, C)."""
        image = self._attempt(_upright, name, read)
        if self.image_size is not None:
            image = image.resize((self.image_size, self.image_size), Image.Resampling.BILINEAR)
        elif image.size != self._first_size:
            raise InputError(
                f"{self._names[0]} has {_pixels(self._first_size)} pixels and {name} "
                f"{_pixels(image.size)} in {self.root}: set data.image_size to resize all images"
            )
        pixels = np.asarray(image.convert("L" if self.channels == 1 else "RGB"))
        return pixels.reshape(*pixels.shape[:2], self.channels)

    def _attempt(
        self, function: Callable[[bytes], Any], name: str, read: Callable[[str], bytes]
    ) -> Any:
        try:
            return function(read(name))
        except Exception as error:  # each decoder fails in its own way
            raise InputError(
                f"cannot read the image {name} in {self.root} ({error}): repair or remove it"
            ) from error


@contextmanager
def _opened(root: Path) -> Iterator[tuple[list[str], Callable[[str], bytes]]]:
    """Yield the names in a folder or zip, folders ending in a slash, and a function to read one."""
    if root.is_dir():
        yield _walk(root), lambda name: (root / name).read_bytes()
    elif root.is_file():
        try:
            archive = zipfile.ZipFile(root)
        except zipfile.BadZipFile as error:
            raise InputError(
                f"data.root {root} is a file but not a (complete) zip file: "
                "set it to a folder of images or a zip of one"
            ) from error
        with archive:
            yield archive.namelist(), archive.read
    else:
        siblings = [p.name for p in root.parent.iterdir()] if root.parent.is_dir() else []
        raise InputError(f"data.root {root} does not exist{nearest(root.name, siblings)}")


def _walk(root: Path) -> list[str]:
    names = []
    for folder, folders, files in os.walk(root, followlinks=True):
        path = Path(folder).relative_to(root)
        names += [f"{(path / name).as_posix()}/" for name in folders]
        names += [(path / name).as_posix() for name in files]
    return names


def _layout(root: Path, listing: list[str]) -> tuple[list[str], list[str] | None]:
    """Return the sorted names of the images, and those of the classes or None."""
    listing = sorted(name for name in listing if not _is_hidden(name))
    images = [name for name in listing if name.lower().endswith(_SUFFIXES)]
    if not images:
        what = "no images" if any(not name.endswith("/") for name in listing) else "no files"
        raise InputError(f"data.root {root} has {what} ({' '.join(_SUFFIXES)}) in it")
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
            f"data.root {root} has images both in class folders ({min(classes)}) and beside them "
            f"({direct[0]}): move or remove one kind"
        )
    if direct:
        return images, None
    deep = next((name for name in images if name[len(around) :].count("/") > 1), None)
    if deep is not None:
        raise InputError(
            f"data.root {root} has images below its class folders ({deep}): "
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


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
