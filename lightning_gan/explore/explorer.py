"""What the page asks of a generator: samples, points of a plane, ways, translations."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from lightning_gan.callbacks.pictures.interpolation import slerp
from lightning_gan.callbacks.pictures.shown_range import shown_bounds
from lightning_gan.components.spec import printable
from lightning_gan.data.pixel_arrays import resized
from lightning_gan.data.pixels import read_header
from lightning_gan.data.tiff_pixels import is_tiff
from lightning_gan.errors import InputError
from lightning_gan.export.loaded import LoadedGenerator
from lightning_gan.metrics.features import Bounds
from lightning_gan.sampling import images
from lightning_gan.sampling.translation import WHOLE, translate
from lightning_gan.sampling.turns import grid_columns
from lightning_gan.sampling.ways import latents

MOST_PIXELS = 2**24  # of an image that is decoded
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM")  # and TIFF
PROBE = 64  # side of the image with which a generator of any size is tried
RANGE_SAMPLES = 16


class Shown(NamedTuple):
    """A sample as the page shows it.

    Attributes:
        png: The picture, a pixel for each of the sample's.
        label: Its class, or None.
    """

    png: bytes
    label: int | None


class Pick(NamedTuple):
    """One of the samples that a seed draws.

    Attributes:
        seed: The seed.
        number: Which one, from 0.
    """

    seed: int
    number: int


class Explorer:
    """A generator and what can be looked at in it.

    Args:
        loaded: The generator.
        batch_size: Samples of one pass.
        inputs: Values of black and white of the images that a generator with an input takes.

    Attributes:
        takes_images: Whether its condition is an image.
        classes: Number of its classes, or None.
        has_latents: Whether there are latents to choose.
        is_plane: Whether its latents are a plane, all of which can be seen.
        side: The longest side to which an image is shrunk unless somebody says another.

    Raises:
        InputError: It makes no images, or asks for a condition that no page can give.
    """

    def __init__(
        self, loaded: LoadedGenerator, batch_size: int = 16, inputs: Bounds = (-1.0, 1.0)
    ) -> None:
        self.loaded, self.batch_size, self.inputs = loaded, batch_size, inputs
        self._channels = 0  # of inputs
        try:
            first = loaded.sample(RANGE_SAMPLES, seed=0, batch_size=batch_size)
        except InputError:
            made = self._try_images()
            if made is None:
                raise
            first = made[None]
        images.check_images(first, "a .npz with lightning-gan sample")
        self.bounds: Bounds = shown_bounds(loaded, first)
        self.takes_images = self._channels > 0
        self.classes = None if self.takes_images else loaded.conditions.classes
        self.has_latents = not self.takes_images and loaded.latent_dim > 0
        self.is_plane = self.has_latents and loaded.latent_dim == 2
        sides = [side for side in loaded.sample_shape[1:] if side is not None]
        self.side = max(sides, default=WHOLE)

    def draw(
        self,
        seed: int,
        num: int,
        labels: Tensor | int | None = None,
        truncation: float | None = None,
    ) -> list[Shown]:
        """Draw the samples of ``lightning-gan sample``.

        Raises:
            InputError: A class is out of range, or there are none.
        """
        samples, y = self._drawn(seed, num, labels, truncation)
        return self._shown(samples, y)

    def grid(
        self,
        seed: int,
        num: int,
        labels: Tensor | int | None = None,
        turns: Sequence[int] | None = None,
        truncation: float | None = None,
    ) -> bytes:
        """Draw the picture that ``lightning-gan sample --out=FILE.png`` writes.

        Args:
            seed: The seed.
            num: Number of samples.
            labels: Their classes.
            turns: The classes that take turns, which decide the columns.
            truncation: psi.
        """
        samples, _ = self._drawn(seed, num, labels, truncation)
        return images.png(images.cells(self._seen(samples), grid_columns(turns, num)))

    def point(
        self,
        x: float,
        y: float,
        seed: int = 0,
        label: int | None = None,
        truncation: float | None = None,
    ) -> bytes:
        """Generate the sample at one place of the plane.

        Two latents are the plane themselves, with the points of
        :func:`lightning_gan.sampling.ways.manifold`: equal distances are equal probabilities under
        a standard normal prior. More are looked at in the square whose corners are the first four
        latents of the seed, on spherical ways from left to right and between these downwards.

        Args:
            x: From 0, left, to 1, right.
            y: From 0, top, to 1, bottom.
            seed: Of the corners.
            label: The class; 0 where there are classes and none is given.
            truncation: psi.
        """
        z = self._places(torch.tensor([[x, y]]), seed, truncation)
        (shown,) = self._shown(self._generated(z, label, truncation), None)
        return shown.png

    def map(
        self,
        size: int,
        seed: int = 0,
        label: int | None = None,
        truncation: float | None = None,
    ) -> bytes:
        """Draw ``size`` by ``size`` samples of the plane, edge to edge, its corners included."""
        axis = torch.linspace(0, 1, size)
        down, right = torch.meshgrid(axis, axis, indexing="ij")
        places = torch.stack([right.flatten(), down.flatten()], dim=1)
        z = self._places(places, seed, truncation)
        seen = self._seen(self._generated(z, label, truncation))
        channels, height, width = seen.shape[1:]
        rows = seen.reshape(size, size, channels, height, width).permute(2, 0, 3, 1, 4)
        return images.png(_unit(rows.reshape(channels, size * height, size * width)))

    def way(
        self,
        start: Pick,
        end: Pick,
        num: int,
        label: int | None = None,
        truncation: float | None = None,
    ) -> list[Shown]:
        """Generate samples on the spherical way from one pick to another, both included."""
        return self._shown(self._between(start, end, num, label, truncation), None)

    def strip(
        self,
        start: Pick,
        end: Pick,
        num: int,
        label: int | None = None,
        truncation: float | None = None,
    ) -> bytes:
        """Draw the way as one row, as ``lightning-gan interpolate`` does."""
        seen = self._seen(self._between(start, end, num, label, truncation))
        return images.png(images.cells(seen, num))

    def translate(self, content: bytes, side: int, seed: int = 0) -> tuple[bytes, bytes]:
        """Put an image through a generator whose condition is one.

        Args:
            content: Of an image file.
            side: Its longest side is shrunk to so many pixels where it is longer.
            seed: Of the latent, where there is one.

        Returns:
            What went in and what came out, as PNGs.

        Raises:
            InputError: It is no image, has too many pixels, or the generator cannot take it.
        """
        _check_upload(content)
        values, window = images.decoded(content, "that was sent", self._channels)
        height, width = values.shape[:2]
        scale = side / max(height, width)
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            values = resized(values, size)
        image = images.as_tensor(values, window)
        made = translate(self.loaded, images.in_range(image, self.inputs), seed=seed)
        (out,) = self._shown(made[None], None)
        return images.png(_unit(image)), out.png

    def _try_images(self) -> Tensor | None:
        """Put gray images through a generator; note which channels it takes; None: it takes none.

        What it declares is tried first, then the channels of its samples, color and gray.
        """
        shape = self.loaded.sample_shape
        if self.loaded.num_classes is not None or len(shape) != 3:
            return None
        height, width = (PROBE if side is None else side for side in shape[1:])
        declared = getattr(self.loaded.generator, "input_channels", None)
        for channels in dict.fromkeys((declared, shape[0], 3, 1)):
            if channels not in (1, 3):
                continue
            try:
                made = translate(self.loaded, torch.zeros(channels, height, width))
            except InputError:
                continue
            self._channels = channels
            return made
        return None

    def _drawn(
        self, seed: int, num: int, labels: Tensor | int | None, truncation: float | None
    ) -> tuple[Tensor, Any]:
        pieces = self.loaded.sample_in_pieces(
            num, labels, seed, None, truncation, batch_size=self.batch_size
        )
        samples: list[Tensor] = []
        classes: list[int] = []
        for piece in pieces:
            samples.append(piece.samples.cpu())
            classes += piece.y.tolist() if self.classes is not None else []
        return torch.cat(samples), classes or None

    def _places(self, places: Tensor, seed: int, truncation: float | None) -> Tensor:
        """Return the latents at places of the plane, shape (N, 2) from 0 to 1."""
        self._check_latents()
        if self.is_plane:
            z: Tensor = torch.special.ndtri(0.05 + 0.9 * places)
            return z
        corners = latents(self.loaded, 4, seed, truncation)
        ways = slerp(corners[[0, 2]], corners[[1, 3]], places[:, 0])  # (2, N, Z)
        return torch.cat(
            [slerp(ways[:1, n], ways[1:, n], place[1:])[0] for n, place in enumerate(places)]
        )

    def _between(
        self, start: Pick, end: Pick, num: int, label: int | None, truncation: float | None
    ) -> Tensor:
        self._check_latents()
        first, last = (
            latents(self.loaded, pick.number + 1, pick.seed, truncation)[-1:]
            for pick in (start, end)
        )
        z = slerp(first, last, torch.linspace(0, 1, num))[0]
        return self._generated(z, label, truncation)

    def _generated(self, z: Tensor, label: int | None, truncation: float | None) -> Tensor:
        """Return samples of latents, all of one class, which has to be one where there are any."""
        label = 0 if label is None and self.classes is not None else label
        return self.loaded.sample(
            len(z), label, 0, z, truncation=truncation, batch_size=self.batch_size
        )

    def _check_latents(self) -> None:
        if not self.has_latents:
            raise InputError("this generator has no latents to choose")

    def _seen(self, samples: Tensor) -> Tensor:
        """Return samples as images in [-1, 1] with 1 or 3 channels."""
        seen = images.as_shown(self.loaded, samples, self.bounds).float()
        return seen[:, : 3 if seen.shape[1] >= 3 else 1]

    def _shown(self, samples: Tensor, labels: Sequence[int] | None) -> list[Shown]:
        seen = self._seen(samples)
        classes = labels if labels is not None else [None] * len(seen)
        return [
            Shown(images.png(_unit(image)), label)
            for image, label in zip(seen, classes, strict=True)
        ]


def _unit(image: Tensor) -> Tensor:
    return image.add(1).div(2)


def _check_upload(content: bytes) -> None:
    """Look at the head of an image file before it is decoded.

    Raises:
        InputError: It is no image of a known format, or has too many pixels.
    """
    try:
        if not is_tiff(content):
            with Image.open(io.BytesIO(content), formats=FORMATS):
                pass
        width, height = read_header(content).size
    except UnidentifiedImageError as error:  # whose words are those of an object in memory
        raise InputError("expected a PNG, JPEG, WebP, BMP, GIF, PPM or TIFF image") from error
    except Exception as error:  # each decoder fails in its own way
        raise InputError(f"cannot read the image that was sent: {printable(error)}") from error
    if width * height > MOST_PIXELS:
        raise InputError(
            f"the image has {width:,} x {height:,} pixels, and {MOST_PIXELS:,} are taken: shrink it"
        )
