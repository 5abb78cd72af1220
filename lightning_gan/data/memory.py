"""How much memory there is: what the machine, the process's group and its own limits leave."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lightning_gan.errors import InputError

ROOT = Path("/")  # of the files in which Linux tells

# Of what a limit leaves, one part in so many stays for everything that is not an image: who
# exceeds a limit is ended without a word, while a full machine swaps first.
_SPARE = 8
# Folder of a hierarchy, limits, use, and the part of the use that is given back when asked for.
_GROUPS = (
    ("sys/fs/cgroup", ("memory.max", "memory.high"), "memory.current", "inactive_file"),
    ("sys/fs/cgroup/unified", ("memory.max", "memory.high"), "memory.current", "inactive_file"),
    (
        "sys/fs/cgroup/memory",
        ("memory.limit_in_bytes",),
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


def available_memory() -> int | None:
    """Return the bytes that can still be allocated, or None where the system does not tell.

    It is the least of what the machine has left, the control groups (versions 1 and 2) of this
    process, those around them included, and the limits of its address space and its data.
    """
    limited = [left - left // _SPARE for left in (*_left_in_groups(), *_left_to_process())]
    machine = _left_on_machine()
    found = [*limited, *([] if machine is None else [machine])]
    return max(0, min(found)) if found else None


def gigabytes(size: int) -> str:
    """Return a number of bytes in GB, to three digits."""
    return f"{size / 1e9:.3g}"


class ImageMemoryError(InputError):
    """One image could not be decoded for want of memory."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory of the host could not be allocated, be it for a thread."""
    said = str(error)
    return isinstance(error, (MemoryError, ImageMemoryError)) or (
        isinstance(error, RuntimeError)
        and ("DefaultCPUAllocator" in said or "can't start new thread" in said)
    )


def _left_on_machine() -> int | None:
    for line in _lines("proc/meminfo"):  # free memory and what the page cache would give back
        name, _, rest = line.partition(":")
        if name == "MemAvailable" and (size := _number(rest.split()[0])) is not None:
            return 1024 * size
    try:  # elsewhere at least all memory there is
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _left_in_groups() -> Iterator[int]:
    """Yield what each limited group has left that this process is in, from its own outwards."""
    for line in _lines("proc/self/cgroup"):
        number, _, rest = line.partition(":")
        kinds, _, path = rest.partition(":")
        if not (number == "0" and not kinds) and "memory" not in kinds.split(","):
            continue
        parts = [part for part in path.split("/") if part]
        # A path that leads out of what a container sees: its own group is then the root.
        parts = [] if ".." in parts else parts
        for base, limits, use, cache in _GROUPS:
            if ("memory" in kinds.split(",")) != (limits[0] == "memory.limit_in_bytes"):
                continue
            for depth in range(len(parts), -1, -1):
                yield from _left_in("/".join([base, *parts[:depth]]), limits, use, cache)


def _left_in(group: str, limits: tuple[str, ...], use: str, cache: str) -> Iterator[int]:
    used = _number(next(_lines(f"{group}/{use}"), ""))
    pairs = (line.split() for line in _lines(f"{group}/memory.stat"))
    back = next((_number(pair[1]) for pair in pairs if pair[:1] == [cache] and pair[1:]), 0)
    for name in limits:
        limit = _number(next(_lines(f"{group}/{name}"), ""))
        if limit is not None:
            yield max(0, limit - max(0, (used or 0) - (back or 0)))


def _left_to_process() -> Iterator[int]:
    """Yield what the limits on address space and data (``ulimit -v``, ``-d``) leave."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return
    pages = next(_lines("proc/self/statm"), "").split()
    for limit, place in ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5)):
        soft = resource.getrlimit(limit)[0]
        if soft != resource.RLIM_INFINITY:
            used = _number(pages[place]) if len(pages) > place else 0
            yield max(0, soft - (used or 0) * resource.getpagesize())


def _lines(name: str) -> Iterator[str]:
    try:
        yield from (ROOT / name).read_text().splitlines()
    except (OSError, ValueError):
        return


def _number(text: str) -> int | None:
    """Return a whole number, None for all else, such as the "max" of a group without a limit."""
    return int(text) if text.strip().isdecimal() else None
