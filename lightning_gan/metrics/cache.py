"""Where results that take long to compute are kept."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.files.fingerprint import fingerprint
from lightning_gan.files.whole import write_whole

_VARIABLE = "LIGHTNING_GAN_CACHE"
_LARGEST = 2**28  # bytes in a file of kept tensors: 256 MiB
_ALL = 2**31  # bytes in all files of one kind of kept tensors: 2 GiB
# Counts up with every change of what is kept, so that nothing old is taken for new.
_VERSION = 2


def cache_folder() -> Path:
    """Return $LIGHTNING_GAN_CACHE, else the folder ``lightning_gan`` in the platform's cache.

    On Linux that is in $XDG_CACHE_HOME or ~/.cache, on macOS ~/Library/Caches, on Windows
    %LOCALAPPDATA%. The folder need not exist.

    Raises:
        InputError: The variable is not set and the user has no home folder.
    """
    chosen = os.environ.get(_VARIABLE)
    try:
        if chosen:
            return Path(os.path.expanduser(chosen))
        return _platform_folder() / "lightning_gan"
    except RuntimeError as error:
        raise InputError(
            f"there is no home folder for the cache: set {_VARIABLE} to a folder of your own"
        ) from error


def save_tensors(path: Path, tensors: dict[str, Tensor], notes: dict[str, Any]) -> None:
    """Write tensors and JSON notes as safetensors; other processes see all of the file or none.

    Raises:
        OSError: The file cannot be written.
    """
    from safetensors.torch import save

    content = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        metadata={"notes": json.dumps(notes)},
    )
    write_whole(path, content)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and notes that :func:`save_tensors` wrote.

    Raises:
        ValueError: The file is damaged or another program's.
        OSError: The file cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            notes = json.loads(file.metadata()["notes"])
            return {name: file.get_tensor(name) for name in file.keys()}, dict(notes)  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is no file of the cache") from error


def kept(kind: str, key: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return tensors from the cache, to the bit as they were made, or else make and keep them.

    A file that is damaged, or a folder that cannot be written, costs a warning and the time to
    make them again. More than 256 MiB are not kept, nor is anything where there is no folder. Where
    all of a kind are more than 2 GiB, those that were not used for longest are deleted.

    Args:
        kind: What they are, in the plural, for the file's name and warnings.
        key: Everything that decides them; the version of torch is added to it.
        make: Makes them.

    Returns:
        The tensors by name; those from a file are on the CPU.
    """
    try:
        folder = cache_folder()
    except InputError:
        return make()
    key = f"{key}, torch {torch.__version__}"
    name = f"{kind}-v{_VERSION}-{fingerprint(key)[:32]}"
    path = folder / f"{name}.safetensors"
    found = _read(path, kind, key)
    if found is None:
        found = make()
        if sum(tensor.nbytes for tensor in found.values()) <= _LARGEST:
            _write(path, kind, key, found)
    return found


def _read(path: Path, kind: str, key: str) -> dict[str, Tensor] | None:
    try:
        tensors, notes = load_tensors(path)
        if notes != _notes(key, tensors):
            raise ValueError("other notes")
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        rank_zero_warn(f"the {kind} in {path} are damaged or others', and are computed anew")
        return None
    with suppress(OSError):  # a folder that may only be read
        os.utime(path)
    return tensors


def _write(path: Path, kind: str, key: str, tensors: dict[str, Tensor]) -> None:
    try:
        save_tensors(path, tensors, _notes(key, tensors))
    except OSError as error:
        rank_zero_warn(
            f"{kind} could not be kept in {path.parent} ({error.strerror}) and will be computed "
            f"again next time: set {_VARIABLE} to a folder that can be written"
        )
    _prune(path.parent, kind)


def _prune(folder: Path, kind: str) -> None:
    """Delete what has been used least recently of a kind, until the rest fits."""
    found: list[tuple[float, int, Path]] = []
    for path in folder.glob(f"{kind}-v*.safetensors"):
        with suppress(OSError):  # another process prunes, too
            facts = path.stat()
            found.append((facts.st_mtime, facts.st_size, path))
    total = 0
    for _, size, path in sorted(found, reverse=True):
        total += size
        if total > _ALL:
            with suppress(OSError):  # in a shared folder, somebody else's
                path.unlink()


def _notes(key: str, tensors: dict[str, Tensor]) -> dict[str, str]:
    return {"key": key, **{name: fingerprint(tensors[name]) for name in sorted(tensors)}}


def _platform_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return chosen if chosen.is_absolute() else Path.home() / ".cache"
