"""Which checkpoint a run starts from."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from lightning_gan.errors import InputError, nearest
from lightning_gan.files.names import LAST
from lightning_gan.training.checkpoint import read_checkpoint, unpacked_for_this_process
from lightning_gan.training.package import is_package
from lightning_gan.training.seams.saving import way_on

LISTED = 1000
# What a disk says that is full, or that may only be read.
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}


def find_checkpoint(command: str, path: Any, root: str, max_steps: int = -1) -> str | None:
    """Return the checkpoint that a command starts from, after a look at the file.

    Args:
        command: ``fit`` needs none, the others do.
        path: ``ckpt_path``: a file, a training package, None, or "last" for the newest state of
            the newest run below ``root``; a file that cannot be used is passed over, with a
            sentence.
        root: Folder of the runs, ``trainer.default_root_dir``.
        max_steps: Where training is to end; -1 for no limit.

    Raises:
        InputError: There is no such file, it is no checkpoint of a GANModule, it is too little for
            the command, or it has reached ``max_steps`` already.
    """
    if path is None and command == "fit":
        return None
    if path is None:
        raise InputError(
            f"ckpt_path is missing; {command} needs a trained model: "
            f"ckpt_path=.../checkpoints/last.ckpt, or ckpt_path=last for the newest below {root}"
        )
    if not isinstance(path, str):
        raise InputError(f"ckpt_path: got {path!r}; expected the path of a .ckpt file, or last")
    found = _last(command, root) if path == "last" else path
    named = found
    if found is not None and is_package(found):
        try:
            found = unpacked_for_this_process(found)
        except InputError as error:
            raise InputError(f"ckpt_path: {error}") from error
    if found is not None and "://" not in found and found != "hpc":  # a cluster's file
        reached = _check_file(command, found, root)
        if command == "fit" and -1 < max_steps <= reached:
            raise InputError(
                f"ckpt_path: {named} is at step {reached} already; set trainer.max_steps, which is "
                f"{max_steps}, above it"
            )
    return found


@contextmanager
def disk_explained(root: str) -> Iterator[None]:
    """Turn what a full or read-only disk does to a run below ``root`` into one sentence.

    Raises:
        InputError: The disk refused a file; what it refused first, where one failure led to more.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK:
            raise
        first = error.__context__
        while first is not None:  # loggers write their files once more as training ends
            if isinstance(first, InputError):
                raise first from error
            first = first.__context__
        where = error.filename or root
        raise InputError(f"{error.strerror}: {where}; {way_on(Path(root), '**/*.ckpt')}") from error


def _check_file(command: str, path: str, root: str) -> int:
    """Return the step of a checkpoint."""
    if not Path(path).is_file():
        near = [*Path(path).parent.glob("*.ckpt"), *islice(_checkpoints(root), LISTED)]
        raise InputError(f"ckpt_path: no file at {path}{nearest(path, map(str, near))}")
    try:
        return _step(command, path)
    except InputError as error:
        raise InputError(f"ckpt_path: {error}") from error


def _step(command: str, path: str | Path) -> int:
    checkpoint = read_checkpoint(path, map_location="meta")
    if command == "fit" and "optimizer_states" not in checkpoint:
        raise InputError(f"{path} holds weights alone, and training goes on from all of its state")
    return int(checkpoint.get("global_step", 0))


def _last(command: str, root: str) -> str | None:
    """Return the furthest usable file of the folder with the newest, or of an older folder."""
    times: dict[Path, int] = {}
    for file in _checkpoints(root):
        with suppress(OSError):  # a run may remove it at this moment
            times[file] = file.stat().st_mtime_ns
    if not times and command == "fit":
        print(
            f"ckpt_path=last: there is no last.ckpt below {root} yet; starting from the beginning"
        )
        return None
    if not times:
        raise InputError(f"ckpt_path: got 'last', but there is no last.ckpt below {root}")
    # By the step in the file: copied files have the times of their copies.
    for folder in dict.fromkeys(file.parent for file in sorted(times, key=times.__getitem__)[::-1]):
        steps: dict[Path, int] = {}
        for file in (file for file in times if file.parent == folder):
            try:
                steps[file] = _step(command, file)
            except InputError as error:
                print(f"ckpt_path=last passes over a file: {error}")
        if steps:
            # Of one step the last: the best may have been written after it, at the end.
            return str(max(steps, key=lambda f: (steps[f], f.name == LAST, times[f])))
    raise InputError(f"ckpt_path: got 'last', but no checkpoint below {root} can be used")


def _checkpoints(folder: str) -> Iterator[Path]:
    return Path(folder).rglob("*.ckpt")
