"""What the processes of an evaluation share: the chunks, and bad news."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch.distributed

from lightning_gan.errors import InputError
from lightning_gan.game.ranks import gather_objects

T = TypeVar("T")


def rank() -> int:
    """Return the number of this process, from 0."""
    return torch.distributed.get_rank() if _distributed() else 0


def world_size() -> int:
    """Return the number of processes."""
    return torch.distributed.get_world_size() if _distributed() else 1


def together(make: Callable[[], T]) -> T:
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
    first = together(lambda: make() if rank() == 0 else None)
    return make() if first is None else first


def _distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
