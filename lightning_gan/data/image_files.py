"""Image files of a folder or zip, decoded one at a time to one shape; no classes, no splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from lightning_gan.data.cropping import Crop, center, drawn, scaled
from lightning_gan.data.file_listing import FileTree, buffered, why
from lightning_gan.errors import InputError

_LONGEST = 32  # times the shorter side: what is longer is cropped before it is resized


class ImageFiles(Dataset[Tensor]):
    """A source of images: each file or zip member is decoded when it is asked for.

    Images are turned upright as their Exif data say, transparent ones put on white, 16-bit ones cut
    to 8 bits, animations to their first frame. Threads may read at the same time; each process
    opens the zip for itself.

    Args:
        tree: The folder or zip file.
        names: The images in it, at least one.
        native_shape: Shape of all images before resizing, (C, H, W); without ``image_size`` an
            image of another size is refused.
        image_size: Side in pixels to which images are resized, to a square and with antialiasing;
            None keeps their size.
        crop: Which square of a resized image that is not one is kept: the middle or, for an image
            that is asked for with a key, a random one; None keeps all of it, squashed.
    """

    def __init__(
        self,
        tree: FileTree,
        names: Sequence[str],
        native_shape: tuple[int, int, int],
        image_size: int | None = None,
        crop: Crop = "center",
    ) -> None:
        self.tree = tree
        self.names = names
        self.native_shape = native_shape
        self.image_size = image_size
        self.crop = crop

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
            uint8 in 0..255, shape (C, H, W).

        Raises:
            InputError: It cannot be read, or has another size than the first and no ``image_size``
                makes them the same.
        """
        name = self.names[index]
        image = self._decoded(name)
        channels, height, width = self.native_shape
        if self.image_size is not None:
            image = self._squared(image, key)
        elif image.size != (width, height):
            raise InputError(
                f"{self.names[0]} has {width}x{height} pixels and {name} "
                f"{image.width}x{image.height} in {self.tree.root}: "
                "set image_size to resize all images"
            )
        pixels = np.array(image.convert("L" if channels == 1 else "RGB"))
        return torch.from_numpy(pixels).view(image.height, image.width, channels).permute(2, 0, 1)

    def _decoded(self, name: str) -> Image.Image:
        try:
            return _upright(self.tree.read(name))
        except MemoryError:
            raise
        except Exception as error:  # each decoder fails in its own way
            raise InputError(
                f"cannot read the image {name} in {self.tree.root} ({why(error)}): "
                f"{remedy(self.tree.root)}"
            ) from error

    def _squared(self, image: Image.Image, key: tuple[int, ...] | None) -> Image.Image:
        """Resize to a square, after or without cutting off what is too long."""
        side = self.image_size
        assert side is not None
        if self.crop is None:
            return image.resize((side, side), Image.Resampling.BILINEAR)
        width, height = scaled(*image.size, side)
        if max(width, height) > _LONGEST * side:  # much of what is resized would be cut off
            return ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        if key is None:
            left, top = center(width, height, side)
        else:
            left, top = drawn(width, height, side, key)
        return image.crop((left, top, left + side, top + side))


def remedy(root: Path) -> str:
    """Return what to do about a broken image."""
    return (
        "repair or remove it, or set skip_broken to true to leave out all broken images, which "
        f"lightning-gan data inspect {root} lists"
    )


def _upright(data: bytes) -> Image.Image:
    """Decode an image of any mode to 8 bits a channel, without transparency."""
    image: Image.Image = Image.open(buffered(data))
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
