"""The commands that draw from a generator: sample, interpolate, manifold, project, translate.

Words and paths are checked before torch, which takes seconds, is imported.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.given import (
    Command,
    Option,
    any_number,
    file_path,
    number_from_0,
    one_of,
    sides,
    whole_from,
    wholes,
    yes,
)
from lightning_gan.errors import InputError
from lightning_gan.files.claims import is_free, new_folder, write_new

if TYPE_CHECKING:
    from torch import Tensor

    from lightning_gan.export.loaded import LoadedGenerator

PATH = "PATH"
OF_PATH = """\
PATH is a checkpoint, the folder of a run, an exported folder, or hf://user/name."""
SEED = Option("seed", whole_from(0), "the same seed, the same samples", 0, "0")
BATCH = Option("batch_size", whole_from(1), "samples of one pass, as memory allows", 256, "256")
PSI = Option("truncation", number_from_0, "psi, below 1: more typical samples, fewer kinds of them")
LABELS = Option("labels", wholes, "classes, in turns: 0,1,2; drawn by default")
ALWAYS = (
    Option("device", str, "cpu, cuda, cuda:1, ...; by default a GPU where there is one"),
    Option("trust", yes, "true: import whatever class the file names", False, "false"),
)
NUM = 64
GIF_MS = 80

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
        LABELS,
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
INTERPOLATE = Command(
    "interpolate",
    (PATH,),
    f"""\
Draw ways between latents, spherical ones.
{OF_PATH}
FILE.png has a way in each row; FILE.gif walks along all ways at once, there and back.""",
    (
        Option("out", file_path, "FILE.png or FILE.gif; needed"),
        Option("rows", whole_from(1), "ways", 8, "8"),
        Option("columns", whole_from(2), "samples on each; of a GIF, frames", None, "10, GIF 30"),
        Option("labels", wholes, "classes of the ways, in turns; 0,1,2,... by default"),
        SEED,
        PSI,
        BATCH,
        *ALWAYS,
    ),
    (
        "lightning-gan interpolate runs/digits_dcgan/version_0 --out=ways.png",
        "lightning-gan interpolate my_generator --rows=16 --out=ways.gif",
    ),
)
MANIFOLD = Command(
    "manifold",
    (PATH,),
    f"""\
Draw the whole plane of latents of a generator with two, a square for each class.
{OF_PATH}""",
    (
        Option("out", file_path, "FILE.png; needed"),
        Option("size", whole_from(2), "points on each axis", 15, "15"),
        Option("labels", wholes, "which classes; all by default"),
        BATCH,
        *ALWAYS,
    ),
    ("lightning-gan manifold runs/mnist_gan_2d/version_0 --out=plane.png",),
)
PROJECT = Command(
    "project",
    (PATH, "IMAGE"),
    f"""\
Find the latent whose sample is nearest to an image.
{OF_PATH}
Writes to a folder: pair.png, image and sample side by side, and latent.npz with z, y and error.""",
    (
        Option("out", file_path, "the folder, which must be new or empty; needed"),
        Option("label", whole_from(0), "the class; found by default"),
        Option("steps", whole_from(1), "steps of the optimizer", 300, "300"),
        Option("starts", whole_from(1), "of 256 drawn latents, how many are followed", 4, "4"),
        Option("rate", number_from_0, "learning rate", 0.1, "0.1"),
        SEED,
        *ALWAYS,
    ),
    ("lightning-gan project runs/digits_dcgan/version_0 photo.png --out=projection",),
)
TRANSLATE = Command(
    "translate",
    (PATH, "IN_DIR", "OUT_DIR"),
    f"""\
Put every image of a folder through a generator whose condition is an image, or every file that a
generator of other things reads, such as sound.
{OF_PATH}
What is larger than a tile is cut into tiles that overlap; where they do, they are blended linearly.
Results are PNGs of the same names, in OUT_DIR, which must be new or empty; beside each an array
NAME.npy, (C, H, W), where the input has more than 8 bits, or the result other than 1 or 3 channels
or values of another range than -1 to 1.""",
    (
        Option("tile", whole_from(1), "side of a tile; by default the samples' size, else 512"),
        Option("overlap", whole_from(0), "pixels that neighbors share; 32, or a quarter of a tile"),
        Option("channels", whole_from(1), "of the input, 1 or 3; by default those of each file"),
        Option("black", any_number, "value of the files that is black; as their type has it"),
        Option("white", any_number, "the value that is white, such as 4095 for 12 bits kept in 16"),
        Option("input_range", one_of("symmetric", "unit"), "of the input, -1 to 1 or 0 to 1",
               "symmetric", "symmetric"),
        SEED,
        Option("batch_size", whole_from(1), "tiles of one pass, as memory allows", 8, "8"),
        *ALWAYS,
    ),
    ("lightning-gan translate model.ckpt photos paintings --tile=256",),
)  # fmt: skip
COMMANDS = {c.name: c for c in (SAMPLE, INTERPOLATE, MANIFOLD, PROJECT, TRANSLATE)}


def run(request: Request) -> int:
    """Do what the command says.

    Returns:
        0.

    Raises:
        InputError: Anything that the user can put right.
    """
    command = COMMANDS[request.command]
    words, given = command.read(request)
    {
        "sample": _sample,
        "interpolate": _interpolate,
        "manifold": _manifold,
        "project": _project,
        "translate": _translate,
    }[command.name](command, words, given)
    return 0


def _sample(command: Command, words: Sequence[str], given: dict[str, Any]) -> None:
    out = _out(command, given)
    rows, columns = given["grid"] or (None, None)
    if rows is not None and out.suffix != ".png":
        raise InputError(f"sample: --grid is for one picture, --out=FILE.png, got --out={out}")
    n = given["num"] or (NUM if rows is None else rows * columns)
    if rows is not None and n > rows * columns:
        raise InputError(f"sample: --grid={rows}x{columns} holds {rows * columns}, --num is {n}")
    loaded = _loaded(words[0], given)

    import torch

    from lightning_gan.sampling import images, turns

    _check_draws(loaded)
    labels = turns.in_turns(given["labels"], n)
    drawn = loaded.sample_in_pieces(
        n, labels, given["seed"], None, given["truncation"], given["batch_size"]
    )
    with _watched():
        if out.suffix in (".png", ".npz"):
            pieces = list(drawn)
            samples = torch.cat([piece.samples.cpu() for piece in pieces])
            if out.suffix == ".png":
                images.check_images(samples, "FILE.npz")
                wide = columns or turns.grid_columns(given["labels"], n)
                _write(out, images.png(images.cells(images.as_shown(loaded, samples), wide)))
            else:
                arrays = {"samples": samples, "z": torch.cat([piece.z for piece in pieces])}
                if isinstance(pieces[0].y, torch.Tensor):
                    arrays["y"] = torch.cat([piece.y.cpu() for piece in pieces])
                _write(out, _npz({name: _array(x) for name, x in arrays.items()}))
        else:
            with _folder(out) as folder:
                _write_each(loaded, drawn, folder)
    print(f"samples: {n:,} in {_shown(out)}")


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


def _interpolate(command: Command, words: Sequence[str], given: dict[str, Any]) -> None:
    out = _out(command, given, ".png", ".gif")
    loaded = _loaded(words[0], given)

    from lightning_gan.sampling import images, turns
    from lightning_gan.sampling.ways import ways

    rows, moving = given["rows"], out.suffix == ".gif"
    with _watched():
        found = ways(
            loaded,
            rows,
            given["columns"] or (30 if moving else 10),
            labels=turns.in_turns(given["labels"], rows),
            seed=given["seed"],
            truncation=given["truncation"],
            batch_size=given["batch_size"],
        )
        if moving:
            wide = min(rows, turns.GRID_COLUMNS, max(1, round(rows**0.5)))
            frames = [images.cells(found[:, place], wide) for place in range(found.shape[1])]
            content = images.gif([*frames, *frames[-2:0:-1]], GIF_MS)
        else:
            content = images.png(images.cells(found.flatten(0, 1), found.shape[1]))
    _write(out, content)
    print(f"ways: {rows} in {_shown(out)}")


def _manifold(command: Command, words: Sequence[str], given: dict[str, Any]) -> None:
    out = _out(command, given, ".png")
    loaded = _loaded(words[0], given)

    import torch

    from lightning_gan.sampling import images
    from lightning_gan.sampling.ways import manifold

    labels = None if given["labels"] is None else torch.tensor(given["labels"])
    with _watched():
        picture = manifold(loaded, given["size"], labels=labels, batch_size=given["batch_size"])
    _write(out, images.png(picture))
    print(f"manifold: {_shown(out)}")


def _project(command: Command, words: Sequence[str], given: dict[str, Any]) -> None:
    out = _out(command, given)
    if out.suffix in (".png", ".npz"):
        raise InputError(f"project: --out expects a folder, got {out}")
    image = Path(words[1])
    if not image.is_file():
        raise InputError(f"project: no image at {image}")
    loaded = _loaded(words[0], given)

    import numpy as np
    import torch

    from lightning_gan.sampling import images
    from lightning_gan.sampling.projection import project
    from lightning_gan.types import range_bounds

    if len(loaded.sample_shape) != 3:
        raise InputError("project expects a generator of images")
    channels, *size = loaded.sample_shape
    if None in size or channels not in (1, 3):
        raise InputError(
            f"project expects images of one size with 1 or 3 channels, got {loaded.sample_shape}"
        )
    bounds = range_bounds(loaded.sample_range) or (-1.0, 1.0)
    target = images.in_range(images.read_image(image, channels, (size[0], size[1])), bounds)
    with _watched():
        found = project(
            loaded,
            target,
            label=given["label"],
            steps=given["steps"],
            starts=given["starts"],
            rate=given["rate"],
            seed=given["seed"],
        )
    pair = images.as_shown(loaded, torch.stack([target, found.sample.float()]), bounds)
    arrays = {"z": _array(found.z), "error": np.array(found.error)}
    if found.y is not None:
        arrays["y"] = np.array(found.y)
    with _folder(out) as folder:
        (folder / "pair.png").write_bytes(images.png(images.cells(pair, 2)))
        (folder / "latent.npz").write_bytes(_npz(arrays))
    of_class = "" if found.y is None else f", class {found.y}"
    print(
        f"root mean square error: {found.error:.4f} (in {bounds[0]:g} to {bounds[1]:g}; "
        f"{found.first_error:.4f} at the start){of_class}\n"
        f"projection: pair.png and latent.npz in {_shown(out)}"
    )


def _translate(command: Command, words: Sequence[str], given: dict[str, Any]) -> None:
    path, source, out = words[0], Path(words[1]), Path(words[2])
    if not source.is_dir():
        raise InputError(f"translate: there is no folder {source}")
    if not is_free(out):
        raise InputError(f"translate: {out} exists and is not empty; choose another folder")
    if given["channels"] not in (None, 1, 3):
        raise InputError(f"translate: --channels expects 1 or 3, got {given['channels']}")
    loaded = _loaded(path, given)

    from lightning_gan.sampling.translation import TranslatesFiles, check_takes_images

    if isinstance(loaded.generator, TranslatesFiles):
        _translate_files(loaded.generator, source, out, given)
        return
    check_takes_images(loaded)

    import numpy as np

    from lightning_gan.data.folder_layout import image_endings
    from lightning_gan.sampling import images
    from lightning_gan.sampling.translation import translate
    from lightning_gan.tracking import tracked
    from lightning_gan.types import range_bounds

    endings = image_endings()
    files = sorted(f for f in source.rglob("*") if f.suffix.lower() in endings and f.is_file())
    if not files:
        raise InputError(f"translate: there are no images in {source}")
    names = _names(source, files, ".png")
    bounds = (0.0, 1.0) if given["input_range"] == "unit" else (-1.0, 1.0)
    declared = loaded.sample_range
    other = declared is not None and range_bounds(declared) != (-1.0, 1.0)
    with _watched(), _folder(out) as folder:
        for file in tracked(files, "translating", len(files)):
            image = images.read_image(
                file, given["channels"], black=given["black"], white=given["white"]
            )
            image = images.in_range(image, bounds)
            made = translate(
                loaded,
                image,
                tile=given["tile"],
                overlap=given["overlap"],
                batch_size=given["batch_size"],
                seed=given["seed"],
            )
            seen = images.as_shown(loaded, made[None])[0]
            name = names[file]
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            channels = 3 if len(seen) >= 3 else 1
            (folder / name).write_bytes(images.png(seen[:channels].float().add(1).div(2)))
            if images.is_deep(file) or len(made) not in (1, 3) or other:
                np.save(folder / name.with_suffix(".npy"), _array(made))
    print(f"translated: {len(files):,} images in {_shown(out)}")


def _translate_files(network: Any, source: Path, out: Path, given: dict[str, Any]) -> None:
    """Put files that are no images through a generator that reads and writes them."""
    from lightning_gan.tracking import tracked

    meant = ("tile", "overlap", "channels", "black", "white", "input_range", "batch_size")
    usual = {option.name: option.default for option in TRANSLATE.options}
    for option in (option for option in meant if given[option] != usual[option]):
        raise InputError(
            f"translate: --{option} is for images, and {type(network).__name__} reads files of its "
            "own: leave it out"
        )
    endings, ending = network.input_endings, network.output_ending
    files = sorted(f for f in source.rglob("*") if f.suffix.lower() in endings and f.is_file())
    if not files:
        raise InputError(f"translate: there are no files with {' or '.join(endings)} in {source}")
    names = _names(source, files, ending)
    with _watched(), _folder(out) as folder:
        for file in tracked(files, "translating", len(files)):
            made = names[file]
            (folder / made).parent.mkdir(parents=True, exist_ok=True)
            network.translate_file(file, folder / made)
    print(f"translated: {len(files):,} files in {_shown(out)}")


def _names(source: Path, files: Sequence[Path], ending: str) -> dict[Path, Path]:
    """Return what is made of each file is called, in the folder of results.

    Raises:
        InputError: Two would have one name.
    """
    short = {file: file.relative_to(source).with_suffix(ending) for file in files}
    often = Counter(short.values())
    names = {
        # a.jpg and a.png become a.jpg.png and a.png.png
        file: name if often[name] == 1 else name.with_name(f"{file.name}{ending}")
        for file, name in short.items()
    }
    often = Counter(names.values())
    for name in (name for name in names.values() if often[name] > 1):
        one, other, *_ = (file for file in files if names[file] == name)
        raise InputError(f"translate: {one} and {other} would both become {name}: rename one")
    return names


# What they share ---------------------------------------------------------------------------------


def _loaded(path: str, given: dict[str, Any]) -> LoadedGenerator:
    from lightning_gan.cli.best import tell_best
    from lightning_gan.cli.devices import chosen_device
    from lightning_gan.export.load import load_generator

    tell_best(path)
    return load_generator(path, chosen_device(given["device"]), trust=given["trust"])


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


def _out(command: Command, given: dict[str, Any], *endings: str) -> Path:
    """Return where the result goes.

    Raises:
        InputError: It is not said, has another ending, or exists.
    """
    out: Path | None = given["out"]
    if out is None:
        raise InputError(f"{command.name}: --out is needed: {command.examples[0]}")
    if endings and out.suffix not in endings:
        names = " or ".join(f"FILE{ending}" for ending in endings)
        raise InputError(f"{command.name}: --out expects {names}, got {out}")
    if out.suffix in (".png", ".npz", ".gif"):
        if os.path.lexists(out):
            raise InputError(f"out: {out} exists already; choose another name")
    elif not is_free(out):
        raise InputError(f"out: {out} exists and is not empty; choose another folder")
    return out


@contextmanager
def _watched() -> Iterator[None]:
    from lightning_gan.cli.watching import shown

    with shown():
        yield


def _write(out: Path, content: bytes) -> None:
    try:
        write_new(out, content)
    except FileExistsError as error:
        raise InputError(f"out: {out} exists already; choose another name") from error
    except OSError as error:
        raise InputError(f"out: {out} cannot be written: {error.strerror}") from error


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """Give a folder to fill, which appears whole or not at all."""
    try:
        with new_folder(out) as folder:
            yield folder
    except FileExistsError as error:
        raise InputError(f"out: {out} exists and is not empty; choose another folder") from error
    except OSError as error:
        raise InputError(f"out: {out} cannot be written: {error.strerror or error}") from error


def _array(x: Tensor) -> Any:
    import torch

    return (x.float() if x.dtype == torch.bfloat16 else x).detach().cpu().numpy()


def _npz(arrays: dict[str, Any]) -> bytes:
    import io

    import numpy as np

    made = io.BytesIO()
    np.savez(made, **arrays)
    return made.getvalue()


def _shown(out: Path) -> Path:
    from lightning_gan.callbacks.sink import shown_path

    return shown_path(out)
