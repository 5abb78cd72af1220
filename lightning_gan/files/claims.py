"""Names of files and folders that are taken once, whoever else asks at the same moment."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from lightning_gan.files.whole import unfinished_name

TRIES = 100  # others come and go in microseconds


def write_new(path: Path, content: str | bytes) -> None:
    """Write a file as a whole where none is; text as UTF-8.

    Raises:
        FileExistsError: There is one, or somebody was faster.
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent / unfinished_name()
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        try:
            os.link(beside, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
            os.replace(beside, path)
    finally:
        with suppress(OSError):
            beside.unlink()


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder beside another to fill; at the end it takes the other's name.

    Where the block fails, nothing stays of it.

    Args:
        path: The folder's place, where nothing is, or an empty folder.

    Raises:
        FileExistsError: There is something.
        OSError: It cannot be written.
    """
    if not is_free(path):
        raise FileExistsError(f"{path} exists")
    path = Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent / unfinished_name()
    beside.mkdir()
    try:
        yield beside
        if path.is_dir():  # fails where somebody has written into it since
            path.rmdir()
        beside.rename(path)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def is_free(path: Path) -> bool:
    """Whether nothing is at a path, or an empty folder."""
    if path.is_dir() and not path.is_symlink():
        return next(path.iterdir(), None) is None
    return not os.path.lexists(path)


def write_first_free(folder: Path, names: Iterable[str], content: str) -> Path:
    """Write a file as a whole under the first name that is free, and return its path.

    Raises:
        OSError: It cannot be written.
    """
    for name in names:
        with suppress(FileExistsError):
            write_new(folder / name, content)
            return folder / name
    raise FileExistsError(f"no name is left in {folder}")


def make_first_free(root: Path, names: Iterable[str]) -> Path:
    """Make a folder below ``root`` under the first name that is free, and return its path.

    Raises:
        OSError: It cannot be made.
    """
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        with suppress(FileExistsError):
            (root / name).mkdir()
            return root / name
    raise FileExistsError(f"no name is left in {root}")


def numbered_names(name: str) -> Iterator[str]:
    """Yield ``name.json``, ``name-1.json``, ``name-2.json`` and so on for ``name.json``."""
    stem, suffix = os.path.splitext(name)
    yield name
    yield from (f"{stem}-{number}{suffix}" for number in range(1, 10**6))


def _names(root: Path) -> list[str]:
    try:
        return os.listdir(root)
    except FileNotFoundError:  # removed since
        return []


def _make(root: Path) -> None:
    """Make a folder that others may make and remove at the same moment.

    Raises:
        OSError: It cannot be made.
    """
    for _ in range(TRIES):
        with suppress(FileExistsError, FileNotFoundError):
            root.mkdir(parents=True, exist_ok=True)
            return
    root.mkdir(parents=True, exist_ok=True)


class NumberedFolders:
    """Folders ``version_0``, ``version_1``, ..., each taken by making it.

    A context manager: at its end the folders that nothing was written to are removed.

    Attributes:
        made: Those that were made, with the folders around them that were missing.
    """

    def __init__(self) -> None:
        self.made: list[Path] = []

    def take(self, root: Path) -> int:
        """Make the next folder below ``root``, which is made where it is missing.

        Returns:
            Its number: one above all that are there.

        Raises:
            OSError: It cannot be made.
        """
        missing = [folder for folder in (root, *root.parents) if not folder.exists()]
        _make(root)
        self.made += reversed(missing)
        found = (re.fullmatch(r"version_(\d+)", name) for name in _names(root))
        number = max((int(match[1]) for match in found if match), default=-1) + 1
        while True:
            folder = root / f"version_{number}"
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
                continue
            except FileNotFoundError:  # somebody else has removed the folder around it
                _make(root)
                continue
            self.made.append(folder)
            return number

    def __enter__(self) -> NumberedFolders:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for folder in reversed(self.made):
            with suppress(OSError):  # something is in it
                folder.rmdir()
