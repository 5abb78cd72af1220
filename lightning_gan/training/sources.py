"""Files and folders that hold weights to begin with, read without running anything of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lightning_gan.components.spec import printable
from lightning_gan.errors import InputError, nearest
from lightning_gan.files.bounded import excess
from lightning_gan.files.fingerprint import fingerprint
from lightning_gan.game.inheriting import without_compiled
from lightning_gan.game.origins import origins_in
from lightning_gan.training.checkpoint import KEY, checked_checkpoint, read_plain
from lightning_gan.training.package import DESCRIPTION, TrainingPackage, is_package

EXPORTED = "generator.safetensors"  # in the folder of an exported generator
DEEPEST, MOST = 10, 1_000_000  # of a tree of tensors
ENDINGS = (".ckpt", ".safetensors", ".pt", ".pth", ".zip")


@dataclass
class Source:
    """Weights by their names in a file.

    Attributes:
        name: What the file is called, without its folder.
        kind: What it is, in words.
        tensors: Its weights.
        origins: Where these began, newest first, as far as the file says.
    """

    name: str
    kind: str
    tensors: dict[str, Tensor]
    origins: list[dict[str, str]] = field(default_factory=list)

    def origin(self) -> dict[str, str]:
        """Return its name, kind and fingerprint."""
        parts: list[Tensor | str] = []
        for name in sorted(self.tensors):
            parts += [name, self.tensors[name]]
        return {"name": self.name, "kind": self.kind, "sha256": fingerprint(*parts)}


def read_source(path: str | os.PathLike[str]) -> Source:
    """Read the weights of a checkpoint, a package, an exported generator or a plain state dict.

    Args:
        path: A checkpoint of a GANModule or of others, a training package (folder or zip), the
            folder of an exported generator, or a file of safetensors or of torch's that holds
            tensors by their names.

    Raises:
        InputError: It is missing, damaged, holds code or no weights.
    """
    if not isinstance(path, (str, os.PathLike)) or "://" in str(path):
        raise InputError(f"init_from: got {path!r}; expected the path of a file or folder here")
    where = Path(path)
    if not os.path.exists(where):
        raise InputError(f"init_from: nothing is at {where}{nearest(str(where), _beside(where))}")
    if is_package(where):
        source = _of_package(where)
    else:
        source = _of_folder(where) if os.path.isdir(where) else _of_file(where)
    if not source.tensors:
        raise InputError(f"init_from: {where} holds no weights")
    return source


def _beside(path: Path) -> Iterator[str]:
    if path.parent.is_dir():
        yield from (str(each) for each in path.parent.iterdir() if each.suffix in ENDINGS)


def _of_package(path: Path) -> Source:
    try:
        package = TrainingPackage(path)
        return Source(path.name, "training package", package.networks(), package.origins)
    except InputError as error:
        raise InputError(f"init_from: {error}") from error


def _of_folder(folder: Path) -> Source:
    if (folder / EXPORTED).is_file():
        tensors = _safetensors(folder / EXPORTED)
        named = {f"generator.{name}": tensor for name, tensor in tensors.items()}
        return Source(folder.name, "exported generator", named)
    inside = sorted(str(each) for each in folder.iterdir() if each.suffix in ENDINGS)
    hint = f"; it holds {', '.join(map(printable, inside[:3]))}" if inside else ""
    raise InputError(
        f"init_from: {folder} is a folder without {DESCRIPTION} or {EXPORTED}; expected a "
        f"checkpoint, a training package, an exported generator, or a file of weights{hint}"
    )


def _of_file(path: Path) -> Source:
    if path.suffix == ".safetensors":
        return Source(path.name, "state dict", _clean(_safetensors(path)))
    try:
        content = read_plain(path, map_location="cpu")
    except InputError as error:
        raise InputError(f"init_from: {error}") from error
    if isinstance(content, Mapping) and KEY in content:
        checkpoint = checked_checkpoint(path, content)
        state = checkpoint["state_dict"]
        wanted = ("generator.", "generator_ema.", "discriminator.")
        tensors = {k: v for k, v in _flat(state, path).items() if k.startswith(wanted)}
        return Source(path.name, "checkpoint", tensors, origins_in(state.get("_extra_state")))
    return Source(path.name, "state dict", _flat(content, path))


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, RecursionError) as error:
        raise InputError(f"init_from: {path} is damaged: {printable(error)}") from error


def _clean(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {without_compiled(name): tensor for name, tensor in tensors.items()}


def _flat(content: Any, path: Path) -> dict[str, Tensor]:
    """Return all tensors of nested mappings, by their names joined with dots."""

    def inner(node: Any) -> list[Any]:
        return list(node.values()) if isinstance(node, Mapping) else []

    too_much = excess(content, deepest=DEEPEST, most=MOST, inner=inner)
    if too_much:
        raise InputError(f"init_from: {path} {too_much}")
    found: dict[str, Tensor] = {}
    waiting: list[tuple[str, Any]] = [("", content)]
    while waiting:
        where, node = waiting.pop(0)
        if isinstance(node, Mapping):
            waiting += [(f"{where}.{key}" if where else str(key), v) for key, v in node.items()]
        elif isinstance(node, Tensor):
            if node.layout is not torch.strided or node.is_quantized or node.is_meta:
                raise InputError(
                    f"init_from: {printable(where)} of {path} is a {node.layout} tensor; weights "
                    "are dense"
                )
            found[without_compiled(where)] = node.detach()
    return found
