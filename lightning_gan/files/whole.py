"""Files that are whole or not there, whenever the process ends."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNFINISHED = ".lightning-gan-*.unfinished"  # hidden, and with no ending that anything looks for
ABANDONED_S = 3600.0  # a file in writing is touched all the time


@contextmanager
def unfinished(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """Give a path beside another to write to; at the end it takes the other's name.

    What is replaced stays until the rename, which happens at once or not at all (POSIX,
    ``rename``). Where the block fails, nothing stays of the unfinished file.

    Args:
        path: The file's place; folders that are missing are made.
        sync: Whether the file is on the disk at the end, and not only in the system's memory.

    Raises:
        OSError: It cannot be written; what was there before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent / unfinished_name()
    try:
        yield beside
        if sync:
            _sync(beside)
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    if sync:
        with suppress(OSError):  # the file is there; not every file system can sync a folder
            _sync(path.parent)


def write_whole(path: Path, content: str | bytes | memoryview, *, sync: bool = False) -> None:
    """Write a file as a whole in the place of what is there; text as UTF-8.

    Raises:
        OSError: It cannot be written; what was there before is still there.
    """
    with unfinished(path, sync=sync) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)


def unfinished_name() -> str:
    """Return a name for a file in writing, which nobody else has."""
    return UNFINISHED.replace("*", secrets.token_hex(8))


def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left unfinished; other runs may be writing here, too."""
    for file in folder.glob(UNFINISHED):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > ABANDONED_S:
                file.unlink()


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
