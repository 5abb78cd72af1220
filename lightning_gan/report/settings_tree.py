"""Nested settings as a tree that folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lightning_gan.files.bounded import excess

DEEPEST = 24
MOST = 4000  # nodes; a YAML file of a few lines can stand for billions
LONGEST = 2000  # characters of one value
COMPONENT = {"class_path", "init_args", "dict_kwargs"}


@dataclass(frozen=True)
class Setting:
    """A setting, or a group of them.

    Attributes:
        key: Its name; the number of an item of a list.
        text: Its value, or what is worth saying of a group: the class that it configures.
        children: The group.
        is_null: Whether nothing was set.
    """

    key: str
    text: str
    children: tuple[Setting, ...] = ()
    is_null: bool = False


def tree(value: Any) -> tuple[Setting, ...] | None:
    """Return the settings of a mapping as nodes, or None where they are too many to show.

    A ``class_path`` with its ``init_args`` becomes one node, with the class as its text.
    """
    return None if excess(value, deepest=DEEPEST, most=MOST) else _children(value)


def _children(value: Any) -> tuple[Setting, ...]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return tuple(_node(str(key), item) for key, item in pairs)


def _node(key: str, value: Any) -> Setting:
    if isinstance(value, dict) and "class_path" in value and value.keys() <= COMPONENT:
        groups = (value.get(name) for name in ("init_args", "dict_kwargs"))
        inner = tuple(
            node for group in groups if isinstance(group, dict) for node in _children(group)
        )
        return Setting(key, _said(value["class_path"]), inner)
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return Setting(key, "[" + ", ".join(map(_said, value)) + "]")
    if isinstance(value, dict | list) and value:
        return Setting(key, "", _children(value))
    return Setting(key, _said(value), is_null=value is None)


def _said(value: Any) -> str:
    """Return a value as YAML writes it, near enough to read."""
    text = {"None": "null", "True": "true", "False": "false"}.get(str(value), str(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
