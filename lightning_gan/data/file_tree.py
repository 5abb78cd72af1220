"""The files below a folder or in a zip: which there are, which are passed over, and their bytes."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from lightning_gan.errors import InputError, nearest

_LARGEST = 2**30  # bytes of a zip member; a small zip can hold one of any size
HIDDEN = "hidden"
SPECIAL = "special (pipe, socket or device)"


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


class FolderTree(FileTree):
    """Files below a folder, at any depth and behind symbolic links, each real folder once."""

    def listing(self) -> Listing:
        """Walk through the folder; hidden folders are not entered."""
        found = Listing()
        around = os.path.realpath(self.root)
        seen = {around}
        waiting, links = deque([""]), list[str]()
        while waiting or links:
            if waiting:
                here = waiting.popleft()
            else:  # links come after all folders, which are read under their own names
                links.sort(reverse=True)
                here = links.pop()
                real = os.path.realpath(self.root / here)
                if real in seen or os.path.commonpath([real, around]) == real:
                    found.pass_over("linked again", here)
                    continue
                seen.add(real)
                found.folders.append(here)
            for entry in self._entries(here):
                name = f"{here}/{entry.name}" if here else entry.name
                kind = _kind(entry)
                if kind == "folder":
                    seen.add(os.path.realpath(entry.path))
                    found.folders.append(name)
                    waiting.append(name)
                elif kind == "link":
                    links.append(name)
                elif kind == "file":
                    found.files.append(name)
                else:
                    found.pass_over(kind, name)
        return found.sort()

    def open(self, name: str) -> IO[bytes]:
        """Open a file; one that has become something else meanwhile is refused."""
        path = self.root / name
        if not stat.S_ISREG(path.stat().st_mode):  # the others may never give a byte
            raise OSError("it is no regular file")
        return path.open("rb")

    def stamp(self, name: str) -> str:
        """Return size and time of a file."""
        facts = os.stat(self.root / name)
        return f"{facts.st_size} {facts.st_mtime_ns}"

    def _entries(self, here: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.root / here) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(
                f"the folder {self.root / here} cannot be read ({error.strerror}): "
                "give yourself the permission to enter it, or move it elsewhere"
            ) from error


class ZipTree(FileTree):
    """Files of a zip, also of one with backslashes (Windows) or ``./`` before its names (bsdtar).

    Raises:
        InputError: It is no zip file, cannot be read, is encrypted, or has names that lead outside.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._archive: zipfile.ZipFile | None = None
        self._opened_by: int | None = None
        self._members: dict[str, str] = {}  # their names in the zip, where these are others
        self._found = self._read_names()

    def listing(self) -> Listing:
        """Return what the zip holds."""
        return self._found

    def open(self, name: str) -> IO[bytes]:
        """Open a member, unless it claims to be very large."""
        if self._archive is None or self._opened_by != os.getpid():
            # A fork shares the place in the file: two processes would read each other's bytes.
            self._archive, self._opened_by = zipfile.ZipFile(self.root), os.getpid()
        member = self._archive.getinfo(self._members.get(name, name))
        if member.file_size > _LARGEST:
            raise ValueError(f"it unpacks to {member.file_size:,} bytes")
        return self._archive.open(member)

    def stamp(self, name: str) -> str:
        """Return size and time of the zip."""
        facts = os.stat(self.root)
        return f"{facts.st_size} {facts.st_mtime_ns}"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_archive": None, "_opened_by": None}

    def _read_names(self) -> Listing:
        found, seen = Listing(), set[str]()
        for member in self._infos():
            parts = member.filename.replace("\\", "/").split("/")
            name = "/".join(part for part in parts if part not in ("", "."))
            if ".." in parts:
                raise InputError(
                    f"root {self.root} has an entry that leads out of it ({member.filename}): "
                    "pack the images anew"
                )
            if member.flag_bits & 1:
                raise InputError(
                    f"root {self.root} is encrypted ({member.filename}): "
                    "unpack it with its password, and set root to the folder"
                )
            if not name:
                continue
            if any(map(_is_hidden, name.split("/"))):
                found.pass_over(HIDDEN, name)
            elif parts[-1] == "":
                found.folders.append(name)
            elif stat.S_ISLNK(member.external_attr >> 16):
                found.pass_over("linked", name)
            elif name in seen:
                found.pass_over("named again", name)
            else:
                seen.add(name)
                found.files.append(name)
                if name != member.filename:
                    self._members[name] = member.filename
        return found.sort()

    def _infos(self) -> list[zipfile.ZipInfo]:
        try:
            with zipfile.ZipFile(self.root) as archive:
                return archive.infolist()
        except PermissionError as error:
            raise InputError(
                f"root {self.root} cannot be read ({error.strerror}): "
                "give yourself the permission to read it"
            ) from error
        except Exception as error:  # a damaged archive fails in its own way
            raise InputError(
                f"root {self.root} is a file but not a (complete) zip file: "
                "set it to a folder of images or a zip of one"
            ) from error


def file_tree(root: Path) -> FileTree:
    """Return the files below a root.

    Raises:
        InputError: The root is absent, or neither a folder nor a zip file.
    """
    try:
        mode = root.stat().st_mode
    except PermissionError as error:
        raise InputError(
            f"root {root} cannot be reached ({error.strerror}): "
            "give yourself the permission to enter the folders on its way"
        ) from error
    except (OSError, ValueError) as error:  # a name that is too long, or has a null character
        siblings = os.listdir(root.parent) if root.parent.is_dir() else []
        raise InputError(f"root {root} does not exist{nearest(root.name, siblings)}") from error
    if stat.S_ISDIR(mode):
        return FolderTree(root)
    if stat.S_ISREG(mode):
        return ZipTree(root)
    raise InputError(
        f"root {root} is a pipe, a socket or a device: set it to a folder of images or a zip of one"
    )


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


def _kind(entry: os.DirEntry[str]) -> str:
    """Return what an entry of a folder is, without opening it."""
    try:
        if _is_hidden(entry.name):
            return HIDDEN
        if entry.is_dir():
            return "link" if entry.is_symlink() else "folder"
        if entry.is_file():
            return "file"
        return (
            "linked to nothing"
            if entry.is_symlink() and not os.path.exists(entry.path)
            else SPECIAL
        )
    except OSError:  # a link to itself, or behind a folder that may not be entered
        return "linked to nothing"


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"
