"""``lightning-gan translate``: a folder put through a generator whose condition is an input.

Words and paths are checked before torch, which takes seconds, is imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.drawing import (
    ALWAYS,
    OF_PATH,
    PATH,
    SEED,
    as_array,
    loaded_generator,
    output_folder,
    shown_output,
    watched,
)
from lightning_gan.cli.given import Command, Option, any_number, one_of, whole_from
from lightning_gan.errors import InputError
from lightning_gan.files.claims import is_free

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
usage = TRANSLATE.help


def run(request: Request) -> int:
    """Put every file through the generator.

    Returns:
        0.

    Raises:
        InputError: Anything that the user can put right.
    """
    words, given = TRANSLATE.read(request)
    path, source, out = words[0], Path(words[1]), Path(words[2])
    if not source.is_dir():
        raise InputError(f"translate: there is no folder {source}")
    if not is_free(out):
        raise InputError(f"translate: {out} exists and is not empty; choose another folder")
    if given["channels"] not in (None, 1, 3):
        raise InputError(f"translate: --channels expects 1 or 3, got {given['channels']}")
    loaded = loaded_generator(path, given)

    from lightning_gan.sampling.translation import TranslatesFiles, check_takes_images

    if isinstance(loaded.generator, TranslatesFiles):
        _translate_files(loaded.generator, source, out, given)
        return 0
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
    with watched(), output_folder(out) as folder:
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
                np.save(folder / name.with_suffix(".npy"), as_array(made))
    print(f"translated: {len(files):,} images in {shown_output(out)}")
    return 0


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
    with watched(), output_folder(out) as folder:
        for file in tracked(files, "translating", len(files)):
            made = names[file]
            (folder / made).parent.mkdir(parents=True, exist_ok=True)
            network.translate_file(file, folder / made)
    print(f"translated: {len(files):,} files in {shown_output(out)}")


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
