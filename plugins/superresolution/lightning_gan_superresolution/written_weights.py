"""Weights of a trained generator as a file that loaders of RRDBNet read."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import save_file

from lightning_gan import InputError, load_generator
from lightning_gan_superresolution.rrdb import RRDBGenerator

ENDINGS = (".pth", ".safetensors")


def write_weights(source: str | Path, path: str | Path) -> None:
    """Write the weights of a trained generator, the averaged ones where there are any.

    Args:
        source: A checkpoint, the folder of a run, or an exported folder.
        path: A new file, ``.pth`` with the entry ``params_ema``, or ``.safetensors``.

    Raises:
        InputError: The generator is no RRDB, the file exists, or has another ending.
    """
    out = Path(path)
    if out.suffix not in ENDINGS:
        raise InputError(f"weights are written to a .pth or .safetensors file, got {out}")
    if out.exists():
        raise InputError(f"{out} exists; choose another name")
    network = load_generator(source).generator
    if not isinstance(network, RRDBGenerator):
        raise InputError(f"{source} holds a {type(network).__name__}, not an RRDBGenerator")
    weights = {key: x.cpu().contiguous() for key, x in network.state_dict().items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.{os.getpid()}.unfinished")
    try:
        if out.suffix == ".safetensors":
            save_file(weights, beside)
        else:
            torch.save({"params_ema": weights}, beside)
        beside.rename(out)  # whole or not there
    finally:
        beside.unlink(missing_ok=True)
