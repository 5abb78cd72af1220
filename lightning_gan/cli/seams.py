"""Private names of jsonargparse; ``tests/cli/test_seams.py`` says when they may go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonargparse import ArgumentParser


def actions_of(parser: ArgumentParser) -> Iterator[Any]:
    """Yield the arguments of a parser: ``dest``, ``required``, ``default`` and ``help``."""
    yield from parser._actions


def hint_of(action: Any) -> Any:
    """Return the type of an argument; None where it has none."""
    return getattr(action, "_typehint", action.type)
