"""The folder of a run: whether it is one, and what lies in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from lightning_gan.errors import InputError, nearest
from lightning_gan.files.names import CONFIG, REPORT, SIGNS

LISTED = 12  # files of one folder; of more, only their number is told
LARGEST = 32 * 2**20  # bytes of a text file that is read whole


@dataclass(frozen=True)
class FileEntry:
    """A file of the run, or a folder of many.

    Attributes:
        name: Path inside the run's folder.
        link: The same as a relative URL, which cannot be taken for a scheme.
        size: "12 kB".
        written: "2026-01-31 23:59".
        count: Number of files.
    """

    name: str
    link: str
    size: str
    written: str
    count: int = 1


def check_run(folder: Path) -> None:
    """Refuse what is not the folder of a run.

    Raises:
        InputError: There is no such folder, or it holds nothing that a run leaves.
    """
    if folder.is_file():
        raise InputError(f"report: {folder} is a file; give the folder of a run, {folder.parent}")
    if not folder.is_dir():
        near = [path for path in _listing(folder.parent) if path.is_dir()]
        hint = nearest(str(folder), map(str, near))
        raise InputError(f"report: there is no folder {folder}{hint}")
    if not _is_run(folder):
        raise InputError(
            f"report: {folder} holds none of {', '.join(SIGNS[:-1])} and {SIGNS[-1]}, which a run "
            f"leaves; give the folder of one run{_newest_run(folder)}"
        )


def read_text(path: Path) -> str | None:
    """Return what a text file says; None if it is absent, unreadable or larger than 32 MB."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return None
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def link_to(name: str) -> str:
    """Return the relative URL of a file in the run's folder.

    Example:
        >>> link_to("samples/a b.gif"), link_to("javascript:alert(1)")
        ('./samples/a%20b.gif', './javascript%3Aalert%281%29')
    """
    return f"./{quote(name)}"


def human_size(size: int) -> str:
    """Return a number of bytes as a person says it.

    Example:
        >>> human_size(999), human_size(12_345), human_size(52_428_800)
        ('999 B', '12.3 kB', '52.4 MB')
    """
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.3g} {unit}"


def human_time(seconds: float) -> str:
    """Return a time in seconds since 1970 as local date and time."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def file_entries(folder: Path) -> list[FileEntry]:
    """Return the files of a run, the page itself left out, and long folders as one entry."""
    found = []
    for place, folders, names in os.walk(folder):
        folders.sort(key=natural)
        paths = [Path(place) / name for name in sorted(names, key=natural)]
        if Path(place) == folder:
            paths = [path for path in paths if path.name != REPORT]
        stats = [(path, *_stat(path)) for path in paths]
        if len(stats) > LISTED and Path(place) != folder:
            size, newest = sum(item[1] for item in stats), max(item[2] for item in stats)
            found.append(_entry(folder, Path(place), size, newest, len(stats)))
        else:
            found += [_entry(folder, *item) for item in stats]
    return found


def span(folder: Path) -> tuple[float, float] | None:
    """Return when the first and the last file of a run were last written, seconds since 1970."""
    stats = [
        _stat(Path(place) / name)
        for place, _, names in os.walk(folder)
        for name in names
        if name != REPORT
    ]
    times = [seconds for _, seconds in stats if seconds]
    return (min(times), max(times)) if times else None


def natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts names with numbers as a person does.

    Example:
        >>> sorted(["class-10", "class-9"], key=natural)
        ['class-9', 'class-10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(int(part[:18]), "") if part[0] in "0123456789" else (-1, part) for part in parts]


def _entry(folder: Path, path: Path, size: int, seconds: float, count: int = 1) -> FileEntry:
    name = path.relative_to(folder).as_posix() + ("/" if count > 1 else "")
    return FileEntry(name, link_to(name), human_size(size), human_time(seconds), count)


def _stat(path: Path) -> tuple[int, float]:
    """Return size and time; a file may vanish while its run goes on."""
    try:
        found = path.lstat()
    except OSError:
        return 0, 0.0
    return found.st_size, found.st_mtime


def _is_run(folder: Path) -> bool:
    return any((folder / sign).exists() for sign in SIGNS)


def _newest_run(folder: Path) -> str:
    """Return ", such as ...": the newest of the runs in or just below a folder."""

    def age(run: Path) -> tuple[float, list[tuple[int, str]]]:
        return _stat(run / CONFIG)[1], natural(run.name)

    runs = [run for run in _numbered(folder) if _is_run(run)]
    return f", such as {max(runs, key=age)}" if runs else ""


def _numbered(folder: Path) -> Iterator[Path]:
    yield from folder.glob("version_*")
    yield from folder.glob("*/version_*")


def _listing(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
