"""Reading checkpoints of GANModules: tensors and plain values only, never code."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch

from lightning_gan.errors import InputError

KEY = "lightning_gan"
FORMAT = 1


def read_checkpoint(path: str | Path, map_location: Any = None) -> dict[str, Any]:
    """Read a checkpoint with ``weights_only=True``.

    Args:
        path: File that Lightning wrote.
        map_location: Where tensors go, as in ``torch.load``.

    Raises:
        InputError: The file is missing, damaged, holds code, or is not a GANModule's checkpoint.
    """
    if not Path(path).is_file():
        raise InputError(f"no checkpoint at {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch muses about foreign pickles before it refuses
            checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        if "Weights only load failed" in str(error) and "Unsupported global" in str(error):
            raise InputError(
                f"{path} holds Python objects besides tensors and plain values and is refused: "
                "loading it could run code"
            ) from error
        raise InputError(f"{path} is not a checkpoint or is damaged") from error
    except (RuntimeError, EOFError, BadZipFile, OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} is not a checkpoint or is damaged") from error
    ours = checkpoint.get(KEY) if isinstance(checkpoint, dict) else None
    if not isinstance(ours, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise InputError(f"{path} was not written by a GANModule")
    number = ours.get("format")
    if type(number) is not int or not {"version", "spec", "random"} <= set(ours):
        raise InputError(f"{path} is damaged: what describes the GANModule is incomplete")
    if number > FORMAT:
        raise InputError(
            f"{path} was written by lightning-gan {ours['version']}, which is newer "
            "than this one; try: pip install --upgrade lightning-gan"
        )
    return dict(checkpoint)
