"""``lightning-gan sample``: samples as one picture, as PNGs or as arrays.

Words and paths are checked before torch, which takes seconds, is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.drawing import (
    ALWAYS,
    BATCH,
    OF_PATH,
    PATH,
    PSI,
    SEED,
    as_array,
    loaded_generator,
    new_output,
    npz,
    output_folder,
    shown_output,
    watched,
    write_output,
)
from lightning_gan.cli.given import Command, Option, file_path, sides, whole_from, wholes
from lightning_gan.errors import InputError

if TYPE_CHECKING:
    from lightning_gan.export.loaded import LoadedGenerator

NUM = 64


SAMPLE = Command(
    "sample",
    (PATH,),
    f"""\
Draw samples.
{OF_PATH}
With one seed, fewer samples are the beginning of more, whatever the batch size. FILE.png is one
picture of all, FILE.npz holds samples, latents z and labels y, and anything else is a folder with a
PNG for each.""",
    (
        Option("out", file_path, "FILE.png, FILE.npz or a folder; needed"),
        Option("num", whole_from(1), "how many", None, "64"),
        Option("labels", wholes, "classes, in turns: 0,1,2; drawn by default"),
        SEED,
        PSI,
        Option("grid", sides, "rows and columns of FILE.png: 8x8"),
        BATCH,
        *ALWAYS,
    ),
    (
        "lightning-gan sample runs/digits_dcgan/version_0 --out=samples.png",
        "lightning-gan sample my_generator --num=1000 --labels=3 --seed=1 --out=threes",
    ),
)
usage = SAMPLE.help


def run(request: Request) -> int:
    """Draw samples and write them.

    Returns:
        0.

    Raises:
        InputError: Anything that the user can put right.
    """
    words, given = SAMPLE.read(request)
    out = new_output(SAMPLE, given)
    rows, columns = given["grid"] or (None, None)
    if rows is not None and out.suffix != ".png":
        raise InputError(f"sample: --grid is for one picture, --out=FILE.png, got --out={out}")
    n = given["num"] or (NUM if rows is None else rows * columns)
    if rows is not None and n > rows * columns:
        raise InputError(f"sample: --grid={rows}x{columns} holds {rows * columns}, --num is {n}")
    loaded = loaded_generator(words[0], given)

    import torch

    from lightning_gan.sampling import images, turns

    _check_draws(loaded)
    labels = turns.in_turns(given["labels"], n)
    drawn = loaded.sample_in_pieces(
        n, labels, given["seed"], None, given["truncation"], given["batch_size"]
    )
    with watched():
        if out.suffix in (".png", ".npz"):
            pieces = list(drawn)
            samples = torch.cat([piece.samples.cpu() for piece in pieces])
            if out.suffix == ".png":
                images.check_images(samples, "FILE.npz")
                wide = columns or turns.grid_columns(given["labels"], n)
                write_output(out, images.png(images.cells(images.as_shown(loaded, samples), wide)))
            else:
                arrays = {"samples": samples, "z": torch.cat([piece.z for piece in pieces])}
                if isinstance(pieces[0].y, torch.Tensor):
                    arrays["y"] = torch.cat([piece.y.cpu() for piece in pieces])
                write_output(out, npz({name: as_array(x) for name, x in arrays.items()}))
        else:
            with output_folder(out) as folder:
                _write_each(loaded, drawn, folder)
    print(f"samples: {n:,} in {shown_output(out)}")
    return 0


def _write_each(loaded: LoadedGenerator, drawn: Iterator[Any], folder: Path) -> None:
    """Write a PNG for each sample."""
    from lightning_gan.callbacks.pictures.shown_range import shown_bounds
    from lightning_gan.sampling import images

    count, bounds = 0, None
    for piece in drawn:
        images.check_images(piece.samples, "FILE.npz")
        bounds = bounds or shown_bounds(loaded, piece.samples)
        seen = images.as_shown(loaded, piece.samples, bounds)
        classes = piece.y.tolist() if loaded.num_classes is not None else [None] * len(seen)
        for image, label in zip(seen, classes, strict=True):
            name = f"{count:06d}{'' if label is None else f'-class{label}'}.png"
            channels = 3 if len(image) >= 3 else 1
            (folder / name).write_bytes(images.png(image[:channels].float().add(1).div(2)))
            count += 1


def _check_draws(loaded: LoadedGenerator) -> None:
    """Refuse a generator of which nothing can be drawn without an input.

    Raises:
        InputError: It makes something of an input alone.
    """
    if loaded.latent_dim == 0 and loaded.num_classes is None:
        raise InputError(
            "this generator makes its samples of an input: use lightning-gan translate PATH IN_DIR "
            "OUT_DIR"
        )
