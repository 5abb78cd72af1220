"""Files below a root as other files see them: their names, what is passed over, their bytes."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

HIDDEN = "hidden"


@dataclass
class Listing:
    """Names below a root, with slashes whatever the system.

    Attributes:
        files: Regular files, sorted.
        folders: Folders, sorted.
        passed_over: What else there is, by its kind.
    """

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    passed_over: dict[str, list[str]] = field(default_factory=dict)

    def pass_over(self, kind: str, name: str) -> None:
        """Note a name that is none of the files."""
        self.passed_over.setdefault(kind, []).append(name)

    def sort(self) -> Listing:
        """Sort all names."""
        for names in (self.files, self.folders, *self.passed_over.values()):
            names.sort()
        return self


class FileTree(ABC):
    """Files below a root. Threads may read at the same time, and each process opens for itself.

    Args:
        root: The folder or zip file.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @abstractmethod
    def listing(self) -> Listing:
        """Return what is below the root.

        Raises:
            InputError: Some of it may not be read, or leads outside.
        """

    @abstractmethod
    def open(self, name: str) -> IO[bytes]:
        """Open a file to read its beginning."""

    @abstractmethod
    def stamp(self, name: str) -> str:
        """Return what changes when a file is written anew."""

    def read(self, name: str) -> bytes:
        """Return all bytes of a file."""
        with self.open(name) as file:
            return file.read()


def why(error: BaseException) -> str:
    """Return in a few words why a file cannot be read; no object's address is among them."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = " ".join(str(error).split())
    if "cannot identify image file" in said:
        return "it is no image, or an unknown kind of one"
    return said.split(" <_io")[0].split(" at 0x")[0] or type(error).__name__


def buffered(data: bytes) -> io.BytesIO:
    """Return bytes as a file, unless there are none.

    Raises:
        ValueError: There are none.
    """
    if not data:
        raise ValueError("the file is empty")
    return io.BytesIO(data)


def is_hidden(part: str) -> bool:
    """Whether a part of a name hides what is below it."""
    return part.startswith(".") or part == "__MACOSX"
