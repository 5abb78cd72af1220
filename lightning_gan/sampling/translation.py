"""What is put through a generator with an input: images in tiles, files of other kinds whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import pad

from lightning_gan.components.spec import printable
from lightning_gan.errors import InputError
from lightning_gan.game.conditions import generated
from lightning_gan.game.sampling import draw_inputs, floating_dtype
from lightning_gan.game.statistics import evaluating
from lightning_gan.tracking import tracked
from lightning_gan.types import as_generator_output

WHOLE = 512  # pixels of a side up to which an image of any size is put through as it is


@runtime_checkable
class TranslatesFiles(Protocol):
    """A generator that reads and writes files of its own, such as sound, for ``translate``.

    The command finds the files and names the results; what is in them is the generator's.

    Attributes:
        input_endings: Endings of files that it reads, with their dots, in lower case.
        output_ending: The ending of files that it writes.
    """

    input_endings: tuple[str, ...]
    output_ending: str

    def translate_file(self, source: Path, out: Path) -> None:
        """Read a file, put it through, and write what comes out.

        Args:
            source: A file with one of the endings.
            out: A file that is not there, in a folder that is.

        Raises:
            InputError: The file cannot be read, or does not fit.
        """


def check_takes_images(loaded: Any) -> None:
    """Refuse a generator that has no input.

    Raises:
        InputError: Its condition is a class, or samples are no images.
    """
    if loaded.num_classes is not None or len(loaded.sample_shape) != 3:
        raise InputError(
            "translate expects a generator whose condition is an image, got one "
            + ("of classes" if loaded.num_classes is not None else "that makes no images")
            + "; use lightning-gan sample"
        )


def translate(
    loaded: Any,
    image: Tensor,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    batch_size: int = 8,
    seed: int = 0,
) -> Tensor:
    """Put one image through a generator.

    What is larger than a tile is cut into tiles that overlap. Each is put through alone, with one
    latent for all, and they are added up with weights that fall linearly towards the edges that
    another tile covers, and divided by the sum of the weights. Where a generator looks at more
    than a tile's neighborhood, its tiles differ where they meet, and a larger overlap hides it.

    Args:
        loaded: A generator whose condition is an image.
        image: Shape (C, H, W).
        tile: Side of a tile in pixels of the input. None: the size of the samples where it is one,
            else 512.
        overlap: Pixels of the input that neighbors share, at most half a tile. None: 32, or a
            quarter of a smaller tile.
        batch_size: Tiles of one pass.
        seed: Of the latent, where there is one.

    Returns:
        What the generator makes of it, shape (C', s H, s W) where it enlarges by s.

    Raises:
        InputError: A number is out of range, or the generator cannot take the image.
    """
    height, width = image.shape[1:]
    tall, wide, fixed = _tile_size(loaded, tile)
    overlap = min(32, min(tall, wide) // 4) if overlap is None else overlap
    if type(overlap) is not int or not 0 <= overlap <= min(tall, wide) // 2:
        raise InputError(
            f"overlap must be a whole number from 0 to half a tile, {min(tall, wide) // 2}, got "
            f"{overlap!r}"
        )
    if not fixed:  # a smaller image goes through as it is
        tall, wide = min(tall, height), min(wide, width)
    # Of a generator of one size a smaller image is filled up by its edge.
    filled = pad(
        image[None], (0, max(0, wide - width), 0, max(0, tall - height)), mode="replicate"
    )[0]
    tops = _starts(filled.shape[1], tall, overlap)
    lefts = _starts(filled.shape[2], wide, overlap)
    places = [(top, left) for top in tops for left in lefts]
    total: Tensor | None = None
    weights = filled
    scale = 1
    batches = range(0, len(places), batch_size)
    for start in tracked(batches, "translating", len(batches)):
        part = places[start : start + batch_size]
        tiles = torch.stack([filled[:, t : t + tall, x : x + wide] for t, x in part])
        made = _through(loaded, tiles, seed)
        if total is None:
            scale = _scale(made, tall, wide)
            size = (filled.shape[1] * scale, filled.shape[2] * scale)
            total = torch.zeros(made.shape[1], *size)
            weights = torch.zeros(1, *size)
        for (top, left), output in zip(part, made, strict=True):
            down = _ramp(tall * scale, overlap * scale, top > 0, top + tall < filled.shape[1])
            right = _ramp(wide * scale, overlap * scale, left > 0, left + wide < filled.shape[2])
            weight = down[:, None] * right[None, :]
            rows = slice(top * scale, (top + tall) * scale)
            columns = slice(left * scale, (left + wide) * scale)
            total[:, rows, columns] += output * weight
            weights[:, rows, columns] += weight
    assert total is not None
    return (total / weights)[:, : height * scale, : width * scale]


def _tile_size(loaded: Any, tile: int | None) -> tuple[int, int, bool]:
    """Return height and width of a tile, and whether the generator takes no other size."""
    if tile is not None:
        if type(tile) is not int or tile < 1:
            raise InputError(f"tile must be a whole number from 1, got {tile!r}")
        return tile, tile, None not in loaded.sample_shape
    _, height, width = loaded.sample_shape
    if height is None or width is None:
        return WHOLE, WHOLE, False
    return height, width, True


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """Return where tiles begin; the last one ends with the image.

    Example:
        >>> _starts(100, 40, 10)
        [0, 30, 60]
        >>> _starts(105, 40, 10)
        [0, 30, 60, 65]
    """
    last = max(0, length - tile)
    return [*range(0, last, max(1, tile - overlap)), last]


def _ramp(length: int, overlap: int, before: bool, behind: bool) -> Tensor:
    """Return weights along one side of a tile, shape (length,), all above 0.

    Example:
        >>> _ramp(4, 1, True, False).tolist()
        [0.5, 1.0, 1.0, 1.0]
    """
    place = torch.arange(length, dtype=torch.float32)
    weight = torch.ones(length)
    if before and overlap:
        weight = torch.minimum(weight, (place + 1) / (overlap + 1))
    if behind and overlap:
        weight = torch.minimum(weight, (length - place) / (overlap + 1))
    return weight


def _scale(made: Tensor, tall: int, wide: int) -> int:
    """Return by how much a generator enlarges.

    Raises:
        InputError: It is no whole number, the same in both directions.
    """
    scale = made.shape[2] // tall
    if scale < 1 or made.shape[2] != tall * scale or made.shape[3] != wide * scale:
        raise InputError(
            f"a tile of {wide}x{tall} pixels became {made.shape[3]}x{made.shape[2]}; expected the "
            "same size or a whole multiple: set tile to the size that the generator takes"
        )
    return scale


def _through(loaded: Any, tiles: Tensor, seed: int) -> Tensor:
    """Return what the generator makes of tiles, float32 on the CPU.

    Raises:
        InputError: It cannot take them.
    """
    network = loaded.generator
    source = torch.Generator().manual_seed(seed)
    z, _ = draw_inputs(network, loaded.prior, loaded.conditions, 1, source)
    tiles = tiles.to(loaded.device, floating_dtype(network) or tiles.dtype)
    z = z.expand(len(tiles), -1).to(loaded.device)
    try:
        with torch.inference_mode(), evaluating(network):
            made = as_generator_output(generated(network, z, tiles)).samples
    except InputError:
        raise
    except (RuntimeError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise InputError(
            f"{type(network).__name__} cannot take an image of shape {tuple(tiles.shape[1:])}: "
            f"{printable(str(error).splitlines()[0] if str(error) else error)}"
        ) from error
    if made.ndim != 4:
        raise InputError(f"expected images of {type(network).__name__}, got {tuple(made.shape)}")
    return made.float().cpu()
