"""Image files of a folder or zip, decoded one at a time to one shape; no classes, no splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lightning_gan.data.cropping import Crop, center, drawn, scaled
from lightning_gan.data.file_listing import FileTree, why
from lightning_gan.data.memory import ImageMemoryError
from lightning_gan.data.pixel_arrays import Array, in_channels, resized, retyped
from lightning_gan.data.pixels import read_pixels
from lightning_gan.data.window import PixelType, Window, check_floats, check_window
from lightning_gan.errors import InputError

_LONGEST = 32  # times the shorter side: what is longer is cropped before it is resized


class ImageFiles(Dataset[Tensor]):
    """A source of images: each file or zip member is decoded when it is asked for.

    Images are turned upright as their files say, transparent ones put on white, animations cut to
    their first frame; a TIFF of several pages is refused. Pixels of fewer bits than the others
    have are scaled to theirs. Threads may read at the same time; each process opens the zip for
    itself.

    Args:
        tree: The folder or zip file.
        names: The images in it, at least one.
        native_shape: Shape of all images before resizing, (C, H, W); without ``image_size`` an
            image of another size is refused.
        image_size: Side in pixels to which images are resized, to a square and with antialiasing;
            None keeps their size.
        crop: Which square of a resized image that is not one is kept: the middle or, for an image
            that is asked for with a key, a random one; None keeps all of it, squashed.
        pixel_type: Type of the pixels; None: uint8.
        black: The value that is black, of whites and blacks in the files; None as the type of the
            pixels has it, 0 of unsigned ones.
        white: The value that is white, likewise; 65535 of 16 bits.

    Attributes:
        window: Which values are black and white.
        windowed: Whether the window was asked for.

    Raises:
        InputError: Black and white do not fit the pixels.
    """

    def __init__(
        self,
        tree: FileTree,
        names: Sequence[str],
        native_shape: tuple[int, int, int],
        image_size: int | None = None,
        crop: Crop = "center",
        *,
        pixel_type: PixelType | None = None,
        black: float | None = None,
        white: float | None = None,
    ) -> None:
        self.tree = tree
        self.names = names
        self.native_shape = native_shape
        self.image_size = image_size
        self.crop = crop
        self.pixel_type = pixel_type or PixelType.of("uint8")
        check_window(black, white, self.pixel_type)
        self.windowed = (black, white) != (None, None)
        self.window: Window = self.pixel_type.window(black, white)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Tensor:
        return self.image(index)

    def image(self, index: int, key: tuple[int, ...] | None = None) -> Tensor:
        """Decode one image.

        Args:
            index: Which.
            key: Of a random crop, which is a function of it alone; None for the middle.

        Returns:
            Of the type of ``pixel_type``, shape (C, H, W).

        Raises:
            InputError: It cannot be read, has another size than the first and no ``image_size``
                makes them the same, or has pixels or channels that do not become those of the
                others.
        """
        name, root = self.names[index], self.tree.root
        values = self._typed(*self._decoded(name), name)
        channels, height, width = self.native_shape
        if self.image_size is not None:
            values = self._squared(values, key)
        elif values.shape[:2] != (height, width):
            raise InputError(
                f"{self.names[0]} has {width}x{height} pixels and {name} "
                f"{values.shape[1]}x{values.shape[0]} in {root}: "
                "set image_size to resize all images"
            )
        found = in_channels(values, channels)
        if found is None:
            raise InputError(
                f"{name} in {root} has {values.shape[2]} channels, and {channels} are "
                "expected: convert it, or leave it out"
            )
        pixels = torch.from_numpy(np.ascontiguousarray(found)).permute(2, 0, 1)
        if self.pixel_type.is_float:
            check_floats(pixels, f"{name} in {root}", any_range=self.windowed)
        return pixels

    def _decoded(self, name: str) -> tuple[Array, PixelType]:
        root = self.tree.root
        try:
            return read_pixels(self.tree.read(name), self.window if self.windowed else None)
        except MemoryError as error:
            raise ImageMemoryError(
                f"the image {name} in {root} takes more memory than there is: leave it out, "
                "or make it smaller"
            ) from error
        except InputError as error:
            raise InputError(f"cannot read the image {name} in {root}: {error}") from error
        except Exception as error:  # each decoder fails in its own way
            raise InputError(
                f"cannot read the image {name} in {root} ({why(error)}): {remedy(root)}"
            ) from error

    def _typed(self, values: Array, found: PixelType, name: str) -> Array:
        """Return an image's values as those of the set's type."""
        # A window is about the values of one type, not of others scaled to them.
        made = retyped(values, found, self.pixel_type)
        if made is None or (self.windowed and found != self.pixel_type):
            raise InputError(
                f"images in {self.tree.root} have pixels of {self.pixel_type}, and {name} of "
                f"{found}: convert them to one type"
            )
        return made

    def _squared(self, values: Array, key: tuple[int, ...] | None) -> Array:
        """Resize to a square, after or without cutting off what is too long."""
        side = self.image_size
        assert side is not None
        if self.crop is None:
            return resized(values, (side, side))
        longest = _LONGEST * min(values.shape[:2])
        for axis in range(2):  # much of what is resized would be cut off
            first = max(0, (values.shape[axis] - longest) // 2)
            values = values.take(range(first, min(first + longest, values.shape[axis])), axis)
        outer = scaled(values.shape[1], values.shape[0], side)
        values = resized(values, outer)
        left, top = center(*outer, side) if key is None else drawn(*outer, side, key)
        return values[top : top + side, left : left + side]


def remedy(root: Path) -> str:
    """Return what to do about a broken image."""
    return (
        "repair or remove it, or set skip_broken to true to leave out all broken images, which "
        f"lightning-gan data inspect {root} lists"
    )
