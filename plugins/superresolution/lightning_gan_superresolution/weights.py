"""Weights of RRDB networks in the layout of BasicSR's RRDBNet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lightning_gan import InputError

WRAPPED = ("params_ema", "params")  # the averaged weights are the better ones
LAYOUT = (
    "the state dict of an RRDBNet, with conv_first, body.0.rdb1.conv1 and so on, alone or as "
    "params_ema or params"
)


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict from a ``.safetensors`` file, or without running code from any other.

    Of a file that holds ``params_ema`` or ``params`` it is that, the first of the two.

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
    for name in WRAPPED:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
            break
    if not isinstance(found, Mapping) or not all(isinstance(x, Tensor) for x in found.values()):
        raise InputError(f"weights_file: {path} holds something else than {LAYOUT}")
    return dict(found)


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Give a network the weights of a file, all of them and no others.

    Raises:
        InputError: The file cannot be read, or its weights are those of another network.
    """
    found, own = read_weights(path), network.state_dict()
    differing = [key for key in own if key not in found or found[key].shape != own[key].shape]
    differing += [key for key in found if key not in own]
    if differing:
        raise InputError(
            f"weights_file: {path} does not fit: {described(found)}, and the first of "
            f"{len(differing)} differences is {differing[0]}"
        )
    network.load_state_dict(found)


def described(weights: Mapping[str, Tensor]) -> str:
    """Say what network a state dict is of, in the words of the generator's arguments."""
    first, growing = weights.get("conv_first.weight"), weights.get("body.0.rdb1.conv1.weight")
    last = weights.get("conv_last.weight")
    if first is None or growing is None or last is None or {first.dim(), last.dim()} != {4}:
        return f"it is not {LAYOUT}"
    numbers = {int(found[1]) for key in weights if (found := re.match(r"body\.(\d+)\.", key))}
    folded = round((first.shape[1] / last.shape[0]) ** 0.5)
    return (
        f"it is of scale={4 // max(1, folded)}, base_channels={first.shape[0]}, "
        f"blocks={len(numbers)}, growth_channels={growing.shape[0]} and {last.shape[0]} channels"
    )
