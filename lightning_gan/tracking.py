"""Long work tells whoever watches how far it is; where nobody does, nothing is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
Watcher = Callable[[str, int, int], None]
_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Let a function watch what is done inside.

    Args:
        watcher: Called with what is done, how many pieces are done, and of how many.
    """
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def tracked(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """Yield items, and tell whoever watches after each of them; what is done inside is not told.

    Args:
        items: The pieces of the work.
        what: What is done with them, in a few words.
        total: How many there are.

    Example:
        >>> with watched_by(lambda what, done, total: print(what, done, "of", total)):
        ...     sum(tracked([1, 2], "adding", 2))
        adding 1 of 2
        adding 2 of 2
        3
    """
    watcher = _WATCHER.get()
    if watcher in (None, _nobody):
        yield from items
        return
    _WATCHER.set(_nobody)
    try:
        for done, item in enumerate(items, 1):
            yield item
            watcher(what, done, total)
    finally:
        if _WATCHER.get() is _nobody:  # not where the watching ended before the work did
            _WATCHER.set(watcher)


def _nobody(what: str, done: int, total: int) -> None:
    """Watch what is done inside other work that is watched."""
