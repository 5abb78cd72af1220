"""``lightning-gan package CHECKPOINT``: all of a training, for others to go on from.

Words are checked before torch, which takes seconds, is imported.
"""

from __future__ import annotations

import os

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.given import Command, Option, file_path, yes
from lightning_gan.cli.quiet import quiet
from lightning_gan.errors import InputError

PACKAGE = Command(
    "package",
    ("CHECKPOINT",),
    """\
Write all of a training: both networks, the averaged generator, both optimizers, counts, the
configuration and score cards of the run, a picture, licence and card, in safetensors and JSON.
Whoever has it fine-tunes it, or goes on with the training.""",
    (
        Option("out", file_path, "the folder, or FILE.zip; nothing may be there; needed"),
        Option("license", str, "an identifier such as MIT, or a file with the text"),
        Option("trust", yes, "true: import whatever class the file names", False, "false"),
    ),
    (
        "lightning-gan package runs/digits_dcgan/version_0/checkpoints/last.ckpt --out=digits",
        "lightning-gan fit --config digits/config.json --init_from=digits",
        "lightning-gan fit --config digits/config.json --ckpt_path digits",
    ),
)
usage = PACKAGE.help


def run(request: Request) -> int:
    """Write the package.

    Returns:
        0.

    Raises:
        InputError: A word is not understood, or the package cannot be written.
    """
    (path,), given = PACKAGE.read(request)
    if given["out"] is None:
        raise InputError(f"package: --out is needed, where to write: {PACKAGE.examples[0]}")
    from lightning_gan.cli.watching import shown
    from lightning_gan.packages.writing import CONFIGURATION, export_training_package

    with quiet(), shown():
        written = export_training_package(
            os.path.expanduser(path), given["out"], license=given["license"], trust=given["trust"]
        )
    line = f"init_from={written}"  # weights alone: the networks must be those of the package
    if (written / CONFIGURATION).is_file():
        line = f"--config {written / CONFIGURATION} --{line}"
    print(f"wrote {written}\nnext: lightning-gan fit {line}")
    return 0
