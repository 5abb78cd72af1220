"""A checkpoint as safetensors and JSON: taken apart, and put together again.

Tensors go to files by whose they are; the rest is one JSON tree, in which a tensor is
``{"tensor": [file, name]}``, a tuple ``{"tuple": [...]}``, a mapping whose keys are no plain words
``{"items": [[key, value], ...]}``, and a number that JSON has not ``{"float": "nan"}``.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_gan.components.spec import printable
from lightning_gan.errors import InputError
from lightning_gan.files.packed import Packed
from lightning_gan.game.origins import origins_in

DESCRIPTION = "package.json"
STATE = "training.json"
KIND = "lightning-gan training package"
FORMAT = 1
NETWORKS = {  # of a module's state, by what their names begin with
    "generator": "generator.safetensors",
    "generator_ema": "average.safetensors",
    "discriminator": "discriminator.safetensors",
}
PARTS, REST = "parts.safetensors", "training.safetensors"
NODES = ({"tensor"}, {"tuple"}, {"items"}, {"float"})
Files = dict[str, dict[str, Tensor]]


def is_package(path: str | Path) -> bool:
    """Whether a path is a training package: a folder, or a zip of one."""
    path = Path(path)
    if os.path.isdir(path):  # of names that are too long, too
        return (path / DESCRIPTION).is_file()
    if not os.path.isfile(path) or not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return any(name.rpartition("/")[2] == DESCRIPTION for name in names)


# Taking apart -------------------------------------------------------------------------------------


def take_apart(checkpoint: Mapping[str, Any], optimizers: Sequence[str]) -> tuple[Any, Files]:
    """Return a checkpoint as a JSON tree, and the tensors of it by file.

    Args:
        checkpoint: What a checkpoint of a GANModule holds.
        optimizers: Whose the optimizer states are, in their order.

    Raises:
        InputError: It holds what neither JSON nor safetensors can say.
    """
    files: Files = {}

    def file_of(path: Sequence[str]) -> tuple[str, Sequence[str]]:
        if path[0] == "state_dict" and len(path) > 1:
            head, _, rest = path[1].partition(".")
            return (NETWORKS[head], [rest]) if head in NETWORKS else (PARTS, path[1:])
        if path[0] == "optimizer_states" and len(path) > 2 and int(path[1]) < len(optimizers):
            return f"{optimizers[int(path[1])]}_optimizer.safetensors", path[2:]
        return REST, path

    def packed(value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, Tensor):
            if value.layout is not torch.strided or value.is_quantized or value.is_complex():
                raise InputError(f"{'.'.join(path)} is a tensor that safetensors cannot hold")
            file, rest = file_of(path)
            inside = files.setdefault(file, {})
            name = ".".join(rest)
            while name in inside:
                name += "_"
            inside[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
            return {"tensor": [file, name]}
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if isinstance(value, tuple):
            return {"tuple": [packed(v, (*path, str(i))) for i, v in enumerate(value)]}
        if isinstance(value, list):
            return [packed(v, (*path, str(i))) for i, v in enumerate(value)]
        if isinstance(value, Mapping):
            pairs = [(k, packed(v, (*path, str(k)))) for k, v in value.items()]
            if all(type(key) is str for key in value) and set(value) not in NODES:
                return dict(pairs)
            return {"items": [[packed(key, path), item] for key, item in pairs]}
        raise InputError(
            f"{'.'.join(path)} is a {type(value).__name__}, which a package of safetensors and "
            "JSON cannot hold"
        )

    return packed(checkpoint, ()), files


# Putting together ---------------------------------------------------------------------------------


class TrainingPackage:
    """A package that is read; nothing in it is run, imported or unpacked to the disk.

    Args:
        path: Its folder, or a zip of that.

    Attributes:
        description: What ``package.json`` says.

    Raises:
        InputError: It is damaged, foreign or newer than this program.
    """

    def __init__(self, path: str | Path) -> None:
        self._packed = Packed(Path(path), DESCRIPTION)
        found = self._packed.json(DESCRIPTION)
        number = found.get("format") if isinstance(found, dict) else None
        if type(number) is not int or found.get("kind") != KIND:
            raise InputError(f"{path}: {DESCRIPTION} is not that of a {KIND}")
        if number > FORMAT:
            raise InputError(
                f"{path} was written by lightning-gan {printable(found.get('version'))}, which is "
                "newer than this one; try: pip install --upgrade lightning-gan"
            )
        if not isinstance(found.get("files"), dict):
            raise InputError(f"{path}: {DESCRIPTION} is damaged: it names no files")
        self.description: dict[str, Any] = found
        self.origins = origins_in(found)

    def networks(self) -> dict[str, Tensor]:
        """Return the weights of the networks, by the names that a module has for them."""
        files: Mapping[str, object] = self.description["files"]
        return {
            f"{prefix}.{name}": tensor
            for prefix, file in NETWORKS.items()
            if file in files
            for name, tensor in self._packed.tensors(file, files[file]).items()
        }

    def checkpoint(self) -> Any:
        """Return the checkpoint that was packed.

        Raises:
            InputError: A file is missing or damaged.
        """
        files: Mapping[str, object] = self.description["files"]
        tree = self._packed.json(STATE)
        tensors: dict[str, dict[str, Tensor]] = {}

        def unpacked(value: Any) -> Any:
            if isinstance(value, list):
                return [unpacked(item) for item in value]
            if not isinstance(value, dict):
                return value
            if set(value) == {"tensor"}:
                file, name = value["tensor"]
                if file not in files:
                    raise KeyError(file)
                if file not in tensors:
                    tensors[file] = self._packed.tensors(file, files[file])
                return tensors[file][name]
            if set(value) == {"tuple"}:
                return tuple(unpacked(item) for item in value["tuple"])
            if set(value) == {"float"}:
                return float(value["float"])
            if set(value) == {"items"}:
                return {unpacked(key): unpacked(item) for key, item in value["items"]}
            return {key: unpacked(item) for key, item in value.items()}

        try:
            return unpacked(tree)
        except (KeyError, ValueError, TypeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{self._packed.path}: {STATE} is damaged") from error
