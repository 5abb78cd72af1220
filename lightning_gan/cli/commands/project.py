"""``lightning-gan project``: the latent nearest to an image.

Words and paths are checked before torch, which takes seconds, is imported.
"""

from __future__ import annotations

from pathlib import Path

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.drawing import (
    ALWAYS,
    OF_PATH,
    PATH,
    SEED,
    as_array,
    loaded_generator,
    new_output,
    npz,
    output_folder,
    shown_output,
    watched,
)
from lightning_gan.cli.given import Command, Option, file_path, number_from_0, whole_from
from lightning_gan.errors import InputError

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
usage = PROJECT.help


def run(request: Request) -> int:
    """Find the latent and write it.

    Returns:
        0.

    Raises:
        InputError: Anything that the user can put right.
    """
    words, given = PROJECT.read(request)
    out = new_output(PROJECT, given)
    if out.suffix in (".png", ".npz"):
        raise InputError(f"project: --out expects a folder, got {out}")
    image = Path(words[1])
    if not image.is_file():
        raise InputError(f"project: no image at {image}")
    loaded = loaded_generator(words[0], given)

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
    with watched():
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
    arrays = {"z": as_array(found.z), "error": np.array(found.error)}
    if found.y is not None:
        arrays["y"] = np.array(found.y)
    with output_folder(out) as folder:
        (folder / "pair.png").write_bytes(images.png(images.cells(pair, 2)))
        (folder / "latent.npz").write_bytes(npz(arrays))
    of_class = "" if found.y is None else f", class {found.y}"
    print(
        f"root mean square error: {found.error:.4f} (in {bounds[0]:g} to {bounds[1]:g}; "
        f"{found.first_error:.4f} at the start){of_class}\n"
        f"projection: pair.png and latent.npz in {shown_output(out)}"
    )
    return 0
