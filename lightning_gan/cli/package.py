"""``lightning-gan package CHECKPOINT --out DIR``: all of a training, for others to go on from."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.quiet import quiet
from lightning_gan.errors import InputError, nearest

USAGE = "lightning-gan package CHECKPOINT --out FOLDER"
OPTIONS = ("out", "license", "trust")
SWITCH = {"true": True, "false": False}


def run(request: Request) -> int:
    """Write the package.

    Returns:
        0.

    Raises:
        InputError: A word is not understood, or the package cannot be written.
    """
    paths, given = _read(request.words)
    if len(paths) != 1 or "out" not in given:
        raise InputError(f"package expects a checkpoint and where to write: {USAGE}")
    trust = given.get("trust", "false")
    if trust not in SWITCH:
        raise InputError(f"package: trust must be true or false, got {trust!r}")
    from lightning_gan.cli.watching import shown
    from lightning_gan.packages.writing import CONFIGURATION, export_training_package

    path, out = (os.path.expanduser(each) for each in (paths[0], given["out"]))
    with quiet(), shown():
        written = export_training_package(
            path, out, license=given.get("license"), trust=SWITCH[trust]
        )
    line = f"init_from={written}"  # weights alone: the networks must be those of the package
    if (written / CONFIGURATION).is_file():
        line = f"--config {written / CONFIGURATION} --{line}"
    print(f"wrote {written}\nnext: lightning-gan fit {line}")
    return 0


def _read(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return paths, and options as ``--out DIR``, ``--out=DIR`` or ``out=DIR``."""
    paths: list[str] = []
    given: dict[str, str] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("-") or (equals and name in OPTIONS):
            if name not in OPTIONS:
                hint = nearest(name, OPTIONS) or "."
                raise InputError(f"package: unknown option {word!r}{hint} Expected {USAGE}")
            value = value if equals or not queue else queue.pop(0)
            if not value:
                raise InputError(f"package: --{name} needs a value; expected {USAGE}")
            given[name] = value
        else:
            paths.append(word)
    return paths, given
