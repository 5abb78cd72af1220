"""``lightning-gan export CHECKPOINT``: a generator as a folder for others.

Words and paths are checked before torch, which takes seconds, is imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.given import Command, Option, file_path, texts, whole_from, yes
from lightning_gan.errors import InputError
from lightning_gan.files.claims import is_free

EXPORT = Command(
    "export",
    ("CHECKPOINT",),
    """\
Write the generator of a checkpoint (the averaged one where there is one) to a new folder: the files
of each format, contract.json (what goes in and comes out), reference samples with their latents, a
picture and a model card. CHECKPOINT may be the folder of a run. Each file is read again and must
return what the generator returns; the largest difference is printed.""",
    (
        Option("format", texts, "safetensors, torch_export or onnx, or several: onnx,safetensors",
               ["safetensors"], "safetensors"),
        Option("out", file_path, "the folder, which must be new or empty; needed"),
        Option("license", str, "for the model card: mit, cc-by-4.0, ...", "unknown", "unknown"),
        Option("class_names", texts, "what the classes are called: cat,dog"),
        Option("input", file_path,
               "an input of a generator with one: an image, .npy or .npz, N first"),
        Option("seed", whole_from(0), "of the reference samples", 0, "0"),
        Option("trust", yes, "true: import whatever class the checkpoint names", False, "false"),
    ),
    (
        "lightning-gan export runs/digits_dcgan/version_0 --out=my_generator",
        "lightning-gan export model.ckpt --format=safetensors,onnx --out=hub --license=mit",
    ),
)  # fmt: skip
usage = EXPORT.help


def run(request: Request) -> int:
    """Write the folder.

    Returns:
        0.

    Raises:
        InputError: Anything that the user can put right.
    """
    (path,), given = EXPORT.read(request)
    out = given["out"]
    if out is None:
        raise InputError(f"export: --out is needed, the folder to write: {EXPORT.examples[0]}")
    if not is_free(out):
        raise InputError(f"export: --out={out} exists and is not empty; choose another folder")

    from lightning_gan.callbacks.sink import shown_path
    from lightning_gan.cli.best import tell_best
    from lightning_gan.cli.watching import shown
    from lightning_gan.export.card import Origin
    from lightning_gan.export.formats import FILES, check_formats
    from lightning_gan.export.load import locate
    from lightning_gan.export.publish import publish
    from lightning_gan.training.checkpoint import read_checkpoint
    from lightning_gan.training.module import GANModule

    check_formats(given["format"])
    checkpoint = locate(path)
    if not checkpoint.is_file():
        raise InputError(f"export expects a checkpoint or a run, got the exported folder {path}")
    step = read_checkpoint(checkpoint, map_location="meta").get("global_step")
    gan = GANModule.load_from_checkpoint(checkpoint, "cpu", trust=given["trust"])
    tell_best(path)
    print(f"exporting {shown_path(checkpoint)} as {', '.join(given['format'])}", flush=True)
    example = None if given["input"] is None else _example(given["input"])
    with shown():
        made = publish(
            gan,
            out,
            given["format"],
            example=example,
            class_names=given["class_names"],
            license=given["license"],
            seed=given["seed"],
            origin=Origin.of(checkpoint, step),
        )
    for name, off in made.differences.items():
        print(f"{FILES[name]}: differs from the generator by at most {off:.3g}")
    print(f"export: {shown_path(made.folder)}")
    return 0


def _example(path: Path) -> Any:
    """Return conditions from a file: an image, an array, or arrays by name.

    Raises:
        InputError: It cannot be read.
    """
    import numpy as np
    import torch

    from lightning_gan.sampling.images import read_image

    if path.suffix not in (".npy", ".npz"):
        return read_image(path, None)[None]
    try:
        found = np.load(path, allow_pickle=False)
        if path.suffix == ".npy":
            return torch.from_numpy(found)
        return {name: torch.from_numpy(found[name]) for name in found.files}
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
