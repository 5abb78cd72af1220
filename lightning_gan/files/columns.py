"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]], *, rule: bool = False) -> str:
    """Return rows of as many cells each as aligned lines, two spaces between columns.

    Args:
        rows: The first is the header.
        rule: Whether a line of dashes stands below it.

    Example:
        >>> print(columns([("name", "what"), ("mlp", "dense layers")], rule=True))
        name  what
        ------------------
        mlp   dense layers
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    if rule:
        lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines)
