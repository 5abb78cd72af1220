"""The files of a zip, whoever packed it."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path
from typing import IO, Any

from lightning_gan.data.file_listing import HIDDEN, FileTree, Listing, is_hidden
from lightning_gan.errors import InputError

_LARGEST = 2**30  # bytes of a zip member; a small zip can hold one of any size


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
            if any(map(is_hidden, name.split("/"))):
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
