"""Reading checkpoints of GANModules: tensors and plain values only, never code."""

from __future__ import annotations

import os
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from lightning_gan.components.spec import printable
from lightning_gan.errors import InputError

KEY = "lightning_gan"
FORMAT = 1
# How torch says that a pickle names what is neither a tensor nor a plain value.
_FOREIGN = re.compile(r"\bglobal\b", re.IGNORECASE)


def read_checkpoint(path: str | Path, map_location: Any = None) -> dict[str, Any]:
    """Read a checkpoint with ``weights_only=True``.

    Args:
        path: File that Lightning wrote.
        map_location: Where tensors go, as in ``torch.load``.

    Raises:
        InputError: The file is missing, damaged, holds code, or is not a GANModule's checkpoint.
    """
    if not os.path.isfile(path):
        raise InputError(f"no checkpoint at {path}")
    try:
        _check_size(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch muses about foreign pickles before it refuses
            checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # damaged bytes fail in whatever way they say
        if isinstance(error, pickle.UnpicklingError) and _FOREIGN.search(str(error)):
            raise InputError(
                f"{path} holds Python objects besides tensors and plain values and is refused: "
                "loading it could run code"
            ) from error
        raise InputError(f"{path} is not a checkpoint or is damaged") from error
    ours = checkpoint.get(KEY) if isinstance(checkpoint, dict) else None
    if not isinstance(ours, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise InputError(f"{path} was not written by a GANModule")
    number, step = ours.get("format"), checkpoint.get("global_step", 0)
    complete = {"version", "spec", "random"} <= set(ours)
    if not complete or type(number) is not int or type(step) is not int:
        raise InputError(f"{path} is damaged: what describes the GANModule is incomplete")
    if number > FORMAT:
        raise InputError(
            f"{path} was written by lightning-gan {printable(ours['version'])}, which is newer "
            "than this one; try: pip install --upgrade lightning-gan"
        )
    return dict(checkpoint)


def _check_size(path: str | Path) -> None:
    """Refuse an archive that unpacks to more than it is; torch writes what it holds as it is.

    Raises:
        zipfile.BadZipFile: It is no such archive.
    """
    with zipfile.ZipFile(path) as archive:
        if sum(record.file_size for record in archive.infolist()) > os.path.getsize(path):
            raise zipfile.BadZipFile("larger unpacked")
