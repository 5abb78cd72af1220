"""Trees that strangers wrote, looked at before anything walks them without a limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def items(value: Any) -> Iterable[Any]:
    """Return what a mapping or a list holds; nothing for a plain value."""
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, (list, tuple)) else ()


def excess(
    root: T,
    *,
    deepest: int,
    most: int,
    inner: Callable[[T], Iterable[T]] = items,
) -> str:
    """Visit every node of a tree, the first branch first, and say what is too much of it.

    The tree may contain itself, and a few lines of YAML or a small pickle can stand for billions of
    nodes: it is left where it has too many.

    Args:
        root: Its root.
        deepest: How many levels there may be below the root.
        most: How many nodes there may be.
        inner: Returns the nodes right below one, and may refuse it by raising.

    Returns:
        "is nested more than 40 levels deep", "has more than 1,000 parts", or "".
    """
    waiting = [(root, 0)]
    for _ in range(most):
        if not waiting:
            return ""
        node, depth = waiting.pop()
        if depth > deepest:
            return f"is nested more than {deepest} levels deep"
        waiting += [(child, depth + 1) for child in reversed(list(inner(node)))]
    return f"has more than {most:,} parts" if waiting else ""
