"""The files below a folder: links lead to each real folder once, and nothing is waited for."""

from __future__ import annotations

import os
import stat
from collections import deque
from pathlib import Path
from typing import IO

from lightning_gan.data.file_listing import HIDDEN, FileTree, Listing, is_hidden
from lightning_gan.data.zip_tree import ZipTree
from lightning_gan.errors import InputError, nearest

SPECIAL = "special (pipe, socket or device)"


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


def _kind(entry: os.DirEntry[str]) -> str:
    """Return what an entry of a folder is, without opening it."""
    try:
        if is_hidden(entry.name):
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
