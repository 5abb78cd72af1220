"""Help pages laid out: values as one writes them, names with their meanings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

WIDTH = 96


def as_setting(value: Any) -> str:
    """Return a value as one writes it in a setting."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(as_setting, value))}]"
    return str(value)


def columned(rows: Iterable[tuple[str, str]]) -> str:
    """Return two columns, the second wrapped."""
    pairs = list(rows)
    width = max(len(name) for name, _ in pairs) + 2
    lines = []
    for name, doc in pairs:
        wrapped = textwrap.wrap(doc, WIDTH - 2 - width) or [""]
        lines.append(f"  {name:<{width}}{wrapped[0]}".rstrip())
        lines += [" " * (2 + width) + line for line in wrapped[1:]]
    return "\n".join(lines)


def stacked(rows: list[tuple[str, str]]) -> str:
    """Return each setting on a line with its meaning below."""
    return "\n".join(
        "\n".join([f"  {name}", *(f"      {line}" for line in textwrap.wrap(doc, WIDTH - 6))])
        for name, doc in rows
    )
