"""Whether the weights of a network that is being built are loaded right after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_FOLLOWING: ContextVar[bool] = ContextVar("weights follow", default=False)


def weights_follow() -> bool:
    """Whether all weights of the network under construction are about to be replaced.

    A constructor that begins with weights from a file asks before it reads: where a checkpoint is
    loaded or a training resumed, they come with it, and the file need not be there any more. What
    a part names as ``weights_from`` is in no checkpoint and is read all the same.
    """
    return _FOLLOWING.get()


@contextmanager
def following(state: bool = True) -> Iterator[None]:
    """Say for a block that the weights of what is built in it follow.

    Args:
        state: False: they do not.
    """
    token = _FOLLOWING.set(state)
    try:
        yield
    finally:
        _FOLLOWING.reset(token)
