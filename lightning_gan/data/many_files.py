"""Work on many files: in threads, with errors as results, and kept until a file changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import PIL
from torch import Tensor

from lightning_gan.data.file_listing import FileTree
from lightning_gan.metrics.cache import kept
from lightning_gan.tracking import tracked

MANY = 10_000  # files from which on results are kept: reading so many headers takes seconds
_THREADS = 8  # hide how long a disk or network takes; the rest is Python's, one at a time
_AT_ONCE = 64  # files that a thread reads in a row

T = TypeVar("T")


def kept_of(
    kind: str, tree: FileTree, names: Sequence[str], make: Callable[[], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Return what is made of images, from the cache where they are many and none has changed.

    Args:
        kind: What it is, in the plural.
        tree: Where the images are.
        names: The images.
        make: Makes it.
    """
    if len(names) < MANY:
        return make()
    stamps = in_threads(partial(outcome, tree.stamp), names)
    key = repr((PIL.__version__, str(tree.root.resolve()), list(names), stamps))
    return kept(kind, key, make)


def in_threads(function: Callable[[str], T], names: Sequence[str]) -> list[T]:
    """Return what a function makes of each name, with threads, in order."""

    def some(first: int) -> list[T]:
        return [function(name) for name in names[first : first + _AT_ONCE]]

    with ThreadPoolExecutor(_THREADS) as pool:
        starts = range(0, len(names), _AT_ONCE)
        parts = tracked(pool.map(some, starts), "looking through files", len(starts))
        return [each for part in parts for each in part]


def outcome(function: Callable[[str], T], name: str) -> T | Exception:
    """Return what a function makes of a name, or the error that it raises."""
    try:
        return function(name)
    except MemoryError:
        raise
    except Exception as error:  # each decoder fails in its own way
        return error
