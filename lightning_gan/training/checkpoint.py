"""Checkpoints of GANModules: what describes the module in them, and how they are read."""

from __future__ import annotations

import atexit
import os
import pickle
import re
import shutil
import tempfile
import warnings
import weakref
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_warn

from lightning_gan.components.spec import is_portable, printable
from lightning_gan.errors import InputError
from lightning_gan.files.whole import unfinished
from lightning_gan.game import freezing, randomness
from lightning_gan.game.gan import GAN
from lightning_gan.training.package import TrainingPackage, is_package

KEY = "lightning_gan"
FORMAT = 2
# How torch says that a pickle names what is neither a tensor nor a plain value.
_FOREIGN = re.compile(r"\bglobal\b", re.IGNORECASE)


_told: weakref.WeakSet[GAN] = weakref.WeakSet()  # of what cannot be saved


def description_of(gan: GAN, states: dict[str, Any] | None) -> dict[str, Any]:
    """Return what a checkpoint says of a module besides its weights.

    Args:
        gan: The module.
        states: Those of its training, or None.
    """
    spec = gan.spec()
    missing = sorted(n for n, value in spec["init_args"].items() if not is_portable(value))
    if missing and gan not in _told:
        _told.add(gan)
        again = ", ".join(f"{name}=..." for name in missing)
        rank_zero_warn(
            "the checkpoint's weights are complete, but these arguments cannot be saved; pass "
            f"them again: load_from_checkpoint(path, {again})"
        )
    return {
        "format": FORMAT,
        "version": version("lightning-gan"),
        "spec": spec,
        "frozen": freezing.frozen_names(gan.generator, gan.discriminator),
        "seed": randomness.chosen_seed(),
        **(states or {"ranks": None, "configured": [], "skipped": []}),
    }


def read_checkpoint(path: str | Path, map_location: Any = None) -> dict[str, Any]:
    """Read a checkpoint with ``weights_only=True``, or a training package.

    Args:
        path: File that Lightning wrote, or a package: its folder or a zip of that.
        map_location: Where tensors go, as in ``torch.load``.

    Raises:
        InputError: The file is missing, damaged, holds code, or is not a GANModule's checkpoint.
    """
    if is_package(path):
        return checked_checkpoint(path, TrainingPackage(path).checkpoint())
    return checked_checkpoint(path, read_plain(path, map_location))


def unpack_checkpoint(package: str | Path, path: str | Path) -> Path:
    """Write the checkpoint that a training package holds, for ``trainer.fit(..., ckpt_path=path)``.

    Args:
        package: Its folder, or a zip of that.
        path: Where to write.

    Raises:
        InputError: The package is damaged or foreign.
    """
    checkpoint = checked_checkpoint(package, TrainingPackage(package).checkpoint())
    with unfinished(Path(path)) as beside:
        torch.save(checkpoint, beside)
    return Path(path)


def unpacked_for_this_process(package: str | Path) -> str:
    """Return the checkpoint of a package as a file that is there as long as this process."""
    folder = tempfile.mkdtemp(prefix="lightning-gan-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return str(unpack_checkpoint(package, Path(folder) / f"{Path(package).stem}.ckpt"))


def read_plain(path: str | Path, map_location: Any = None) -> Any:
    """Read a file of torch's with ``weights_only=True``: tensors and plain values, nothing else.

    Args:
        path: The file.
        map_location: Where tensors go, as in ``torch.load``.

    Raises:
        InputError: The file is missing, damaged or holds code.
    """
    if not os.path.isfile(path):
        raise InputError(f"no checkpoint at {path}")
    try:
        _check_size(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch muses about foreign pickles before it refuses
            return torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # damaged bytes fail in whatever way they say
        if isinstance(error, pickle.UnpicklingError) and _FOREIGN.search(str(error)):
            raise InputError(
                f"{path} holds Python objects besides tensors and plain values and is refused: "
                "loading it could run code"
            ) from error
        raise InputError(f"{path} is not a checkpoint or is damaged") from error


def checked_checkpoint(path: str | Path, checkpoint: Any) -> dict[str, Any]:
    """Return what was read, as a checkpoint of a GANModule.

    Raises:
        InputError: It is none, or of another format.
    """
    ours = checkpoint.get(KEY) if isinstance(checkpoint, dict) else None
    if not isinstance(ours, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise InputError(f"{path} was not written by a GANModule")
    number, step, frozen = ours.get("format"), checkpoint.get("global_step", 0), ours.get("frozen")
    if type(number) is int and number < FORMAT:
        raise InputError(
            f"{path} was written in a format from before the first release of lightning-gan, which "
            "is not read any more: train again"
        )
    if type(number) is int and number > FORMAT:
        raise InputError(
            f"{path} was written by lightning-gan {printable(ours.get('version'))}, which is newer "
            "than this one; try: pip install --upgrade lightning-gan"
        )
    named = type(frozen) is list and all(type(name) is str for name in frozen)
    complete = named and {"version", "spec", "ranks"} <= set(ours)
    if not complete or type(number) is not int or type(step) is not int:
        raise InputError(f"{path} is damaged: what describes the GANModule is incomplete")
    return dict(checkpoint)


def _check_size(path: str | Path) -> None:
    """Refuse an archive that unpacks to more than it is; torch writes what it holds as it is.

    Raises:
        zipfile.BadZipFile: It is no such archive.
    """
    with zipfile.ZipFile(path) as archive:
        if sum(record.file_size for record in archive.infolist()) > os.path.getsize(path):
            raise zipfile.BadZipFile("larger unpacked")
