"""A folder or a zip of files that a stranger packed: JSON and safetensors, read within bounds.

Nothing is unpacked to the disk: members of a zip are read by the names that are asked for. In a
folder, links are followed, since snapshots of the Hugging Face hub consist of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.files.bounded import excess

LARGEST_JSON = 64 * 2**20
LARGEST_HEADER = 16 * 2**20  # of safetensors: a network of 100,000 weights needs 10 MB
MOST_MEMBERS = 10_000
DEEPEST, MOST = 60, 3_000_000  # of JSON
PACKED_TIGHTEST = 30  # weights hardly shrink; what unpacks to more than this many times is a bomb


class Packed:
    """Files by name, in a folder or a zip.

    Args:
        path: The folder or zip.
        marker: The file by which the folder within a zip is found: at its top, or one below.

    Raises:
        InputError: It cannot be read, or is a zip that no honest program writes.
    """

    def __init__(self, path: Path, marker: str) -> None:
        self.path = path
        self._members: dict[str, str] | None = None
        if not path.is_dir():
            self._members = self._listed(marker)

    def _listed(self, marker: str) -> dict[str, str]:
        """Return the members of the zip by their names beside the marker."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                members = archive.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise InputError(f"{self.path} is no zip or is damaged") from error
        names = [member.filename for member in members]
        total = sum(member.file_size for member in members)
        if len(members) > MOST_MEMBERS or total > PACKED_TIGHTEST * os.path.getsize(self.path):
            raise InputError(f"{self.path} is refused: it unpacks to more than it can hold")
        if len(set(names)) < len(names):
            raise InputError(f"{self.path} is refused: it holds two files of one name")
        for member in members:
            parts = PurePosixPath(member.filename.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
                raise InputError(f"{self.path} is refused: it names files outside of its folder")
            if stat.S_ISLNK(member.external_attr >> 16) or member.flag_bits & 1:
                raise InputError(f"{self.path} is refused: it holds links or encrypted files")
        found = [name for name in names if PurePosixPath(name).name == marker]
        found = [name for name in found if name.count("/") <= 1]
        if len(found) != 1:
            raise InputError(f"{self.path} holds {len(found) or 'no'} {marker}, expected one")
        folder = found[0][: -len(marker)]
        return {n[len(folder) :]: n for n in names if n.startswith(folder) and n[-1:] != "/"}

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        if self._members is not None:
            return name in self._members
        return (self.path / name).is_file()

    def content(self, name: str, most: int | None = None) -> bytes:
        """Return what a file holds.

        Args:
            name: Its name.
            most: Its largest size in bytes; None: any.

        Raises:
            InputError: It is missing, damaged or too large.
        """
        if not self.has(name):
            raise InputError(f"{self.path} is incomplete: there is no {name}")
        limit = -1 if most is None else most + 1
        try:
            if self._members is None:
                with (self.path / name).open("rb") as file:
                    found = file.read(limit)
            else:
                with (
                    zipfile.ZipFile(self.path) as archive,
                    archive.open(self._members[name]) as member,
                ):
                    found = member.read(limit)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            raise InputError(f"{self.path}: {name} is damaged") from error
        except Exception as error:  # what the decompressors raise is their own
            raise InputError(f"{self.path}: {name} cannot be unpacked") from error
        if most is not None and len(found) > most:
            raise InputError(f"{self.path}: {name} is larger than {most // 2**20} MB")
        return found

    def json(self, name: str) -> Any:
        """Return what a JSON file says, of bounded size and depth.

        Raises:
            InputError: It is missing, damaged or too large.
        """
        try:
            found = json.loads(self.content(name, LARGEST_JSON))
        except InputError:
            raise
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.path}: {name} is damaged") from error
        too_much = excess(found, deepest=DEEPEST, most=MOST)
        if too_much:
            raise InputError(f"{self.path}: {name} {too_much}")
        return found

    def tensors(self, name: str, sha256: object) -> dict[str, Tensor]:
        """Return the tensors of a file of safetensors.

        Args:
            name: Its name.
            sha256: Its fingerprint as the package says it.

        Raises:
            InputError: It is missing, damaged, or not what the package says.
        """
        content = self.content(name)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise InputError(f"{self.path}: {name} is not the file that was packed, or is damaged")
        if int.from_bytes(content[:8], "little") > min(LARGEST_HEADER, len(content)):
            raise InputError(f"{self.path}: {name} is damaged: its header is too large")
        try:
            return load(content)
        except (SafetensorError, ValueError, KeyError, RecursionError, TypeError) as error:
            raise InputError(f"{self.path}: {name} is damaged") from error
