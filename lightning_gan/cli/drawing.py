"""What the commands share that draw from a generator: their options, and where results go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_gan.cli.given import Command, Option, number_from_0, whole_from, yes
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
ALWAYS = (
    Option("device", str, "cpu, cuda, cuda:1, ...; by default a GPU where there is one"),
    Option("trust", yes, "true: import whatever class the file names", False, "false"),
)


def loaded_generator(path: str, given: dict[str, Any]) -> LoadedGenerator:
    """Load the generator at a path, to where ``--device`` says; say where it is the best's."""
    from lightning_gan.cli.best import tell_best
    from lightning_gan.cli.devices import chosen_device
    from lightning_gan.export.load import load_generator

    tell_best(path)
    return load_generator(path, chosen_device(given["device"]), trust=given["trust"])


def new_output(command: Command, given: dict[str, Any], *endings: str) -> Path:
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
def watched() -> Iterator[None]:
    """Show how far long work is."""
    from lightning_gan.cli.watching import shown

    with shown():
        yield


def write_output(out: Path, content: bytes) -> None:
    """Write a new file, whole.

    Raises:
        InputError: It exists by now, or cannot be written.
    """
    try:
        write_new(out, content)
    except FileExistsError as error:
        raise InputError(f"out: {out} exists already; choose another name") from error
    except OSError as error:
        raise InputError(f"out: {out} cannot be written: {error.strerror}") from error


@contextmanager
def output_folder(out: Path) -> Iterator[Path]:
    """Give a folder to fill, which appears whole or not at all.

    Raises:
        InputError: It is not empty by now, or cannot be written.
    """
    try:
        with new_folder(out) as folder:
            yield folder
    except FileExistsError as error:
        raise InputError(f"out: {out} exists and is not empty; choose another folder") from error
    except OSError as error:
        raise InputError(f"out: {out} cannot be written: {error.strerror or error}") from error


def as_array(x: Tensor) -> Any:
    """Return a tensor as NumPy has it, bfloat16 as float32."""
    import torch

    return (x.float() if x.dtype == torch.bfloat16 else x).detach().cpu().numpy()


def npz(arrays: dict[str, Any]) -> bytes:
    """Return the bytes of an NPZ file."""
    import io

    import numpy as np

    made = io.BytesIO()
    np.savez(made, **arrays)
    return made.getvalue()


def shown_output(out: Path) -> Path:
    """Return a path as messages show it."""
    from lightning_gan.callbacks.sink import shown_path

    return shown_path(out)
