"""``lightning-gan manifold``: the plane of a generator with two latents.

Words and paths are checked before torch, which takes seconds, is imported.
"""

from __future__ import annotations

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.drawing import (
    ALWAYS,
    BATCH,
    OF_PATH,
    PATH,
    loaded_generator,
    new_output,
    shown_output,
    watched,
    write_output,
)
from lightning_gan.cli.given import Command, Option, file_path, whole_from, wholes

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
usage = MANIFOLD.help


def run(request: Request) -> int:
    """Draw the plane and write it.

    Returns:
        0.

    Raises:
        InputError: Anything that the user can put right.
    """
    words, given = MANIFOLD.read(request)
    out = new_output(MANIFOLD, given, ".png")
    loaded = loaded_generator(words[0], given)

    import torch

    from lightning_gan.sampling import images
    from lightning_gan.sampling.ways import manifold

    labels = None if given["labels"] is None else torch.tensor(given["labels"])
    with watched():
        picture = manifold(loaded, given["size"], labels=labels, batch_size=given["batch_size"])
    write_output(out, images.png(picture))
    print(f"manifold: {shown_output(out)}")
    return 0
