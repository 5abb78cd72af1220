"""How much memory there is for images."""

from __future__ import annotations

import os


def available_memory() -> int | None:
    """Return the bytes that can still be allocated, or None where the system does not tell."""
    try:  # Linux: free memory and what the page cache would give back
        with open("/proc/meminfo") as lines:
            kibibytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        return 1024 * int(kibibytes)
    except (OSError, StopIteration):
        pass
    try:  # elsewhere at least all memory there is
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def gigabytes(size: int) -> str:
    """Return a number of bytes in GB, to three digits."""
    return f"{size / 1e9:.3g}"
