"""Weights of HiFi-GAN generators in the layout of the published code, read and written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from lightning_gan import InputError, load_generator

WRAPPED = "generator"
LAYOUT = (
    "the state dict of a HiFi-GAN generator, with conv_pre, ups.0 and so on, alone or as generator"
)
# Names of a normalized weight in the published code, in ours, and in a plain layer.
DIRECTION, LENGTH = "parametrizations.weight.original1", "parametrizations.weight.original0"
OLD = {"weight_v": DIRECTION, "weight_g": LENGTH}


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Give a generator the weights of a file, all of them and no others.

    Normalized weights and plain ones fit each other: those of the file become what the network has.

    Raises:
        InputError: The file cannot be read, or its weights are those of another network.
    """
    found, own = plain(_read(path)), plain(network.state_dict())
    differing = [key for key in own if key not in found or found[key].shape != own[key].shape]
    differing += [key for key in found if key not in own]
    if differing:
        raise InputError(
            f"weights_file: {path} does not fit: the first of {len(differing)} differences is "
            f"{differing[0]}, of shape {_shape(found, differing[0])} in the file and "
            f"{_shape(own, differing[0])} here"
        )
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, (nn.Conv1d, nn.ConvTranspose1d)):
                # Assigned to a normalized layer it becomes a direction and a length.
                value = found[f"{name}.weight"].to(module.weight)
                if nn.utils.parametrize.is_parametrized(module, "weight"):
                    module.weight = value
                else:
                    module.weight.copy_(value)
                assert module.bias is not None
                module.bias.copy_(found[f"{name}.bias"])


def plain(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights without normalization, whichever way they were normalized."""
    made = {}
    for key, value in weights.items():
        for old, new in OLD.items():
            if key.endswith(f".{old}"):
                key = key.removesuffix(old) + new
        if key.endswith(DIRECTION):
            name = key.removesuffix(f".{DIRECTION}")
            length = weights.get(f"{name}.{LENGTH}", weights.get(f"{name}.weight_g"))
            if length is not None:
                norm = value.flatten(1).norm(dim=1).reshape(-1, *[1] * (value.dim() - 1))
                made[f"{name}.weight"] = value * (length / norm)
        elif not key.endswith(LENGTH):
            made[key] = value
    return made


def write_weights(source: str | Path, path: str | Path) -> None:
    """Write the weights of a trained generator, plain, with the names of the published code.

    Args:
        source: A checkpoint, the folder of a run, or an exported folder.
        path: A new file, ``.pth`` with the entry ``generator``, or ``.safetensors``.

    Raises:
        InputError: The generator is no HiFi-GAN, the file exists, or has another ending.
    """
    out = Path(path)
    if out.suffix not in (".pth", ".safetensors"):
        raise InputError(f"weights are written to a .pth or .safetensors file, got {out}")
    if out.exists():
        raise InputError(f"{out} exists; choose another name")
    from lightning_gan_vocoder.hifigan import HiFiGANGenerator

    network = load_generator(source).generator
    if not isinstance(network, HiFiGANGenerator):
        raise InputError(f"{source} holds a {type(network).__name__}, not a HiFiGANGenerator")
    weights = {key: x.cpu().contiguous() for key, x in network.folded().state_dict().items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.{os.getpid()}.unfinished")
    try:
        if out.suffix == ".safetensors":
            beside.write_bytes(save(weights))
        else:
            with beside.open("wb") as opened:
                torch.save({WRAPPED: weights}, opened)
        beside.rename(out)  # whole or not there
    finally:
        beside.unlink(missing_ok=True)


def _read(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict from a ``.safetensors`` file, or without running code from any other.

    Raises:
        InputError: There is no such file, or it holds no state dict.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"weights_file: there is no file {path}: name {LAYOUT}")
    found: Any
    try:
        if file.suffix == ".safetensors":
            found = load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # each reader fails in its own way
        reason = (str(error) or type(error).__name__).splitlines()[0][:100]
        raise InputError(f"weights_file: {path} cannot be read ({reason})") from error
    if isinstance(found, Mapping) and isinstance(found.get(WRAPPED), Mapping):
        found = found[WRAPPED]
    if not isinstance(found, Mapping) or not all(isinstance(x, Tensor) for x in found.values()):
        raise InputError(f"weights_file: {path} holds something else than {LAYOUT}")
    return dict(found)


def _shape(weights: Mapping[str, Tensor], key: str) -> str:
    return str(tuple(weights[key].shape)) if key in weights else "none"
