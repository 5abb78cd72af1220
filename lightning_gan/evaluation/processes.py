"""What the processes of an evaluation share: the chunks, and bad news."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lightning_gan.errors import InputError
from lightning_gan.game.ranks import gather_objects, rank, world_size

T = TypeVar("T")
CHUNK = 500  # samples; each chunk has latents of its own, whoever draws it


def made_together(make: Callable[[], T]) -> T:
    """Return what this process makes, once all have made theirs; where one fails, all do.

    Raises:
        InputError: That of the first process that raised one.
    """
    failure: InputError | None = None
    try:
        made = make()
    except InputError as error:
        failure = error
    for each in gather_objects(failure):
        if each is not None:
            raise each
    return made


def one_after_the_other(make: Callable[[], T]) -> T:
    """Return what this process makes after the first process has made it, say in a cache."""
    first = made_together(lambda: make() if rank() == 0 else None)
    return make() if first is None else first


def share(n: int) -> list[slice]:
    """Return this process's chunks of n samples."""
    starts = range(0, n, CHUNK)[rank() :: world_size()]
    return [slice(start, min(start + CHUNK, n)) for start in starts]
