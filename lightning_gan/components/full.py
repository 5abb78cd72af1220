"""Checked settings written out: every class with all its arguments, as YAML says them."""

from __future__ import annotations

import copy
import dataclasses
import enum
import os
from collections.abc import Mapping
from typing import Any

from lightning_gan.components.locating import load_class
from lightning_gan.components.nodes import Node
from lightning_gan.components.taking import arguments_of

NOT_PLAIN = object()


def in_full(value: Any) -> Any:
    """Return checked settings in which every class has all its arguments, as YAML says them."""
    if isinstance(value, Node):
        cls = load_class(value["class_path"])
        inner = arguments_in_full(cls, value["init_args"], value.skip or 0)
        others = {k: v for k, v in value.items() if k not in ("class_path", "init_args")}
        named = {"init_args": inner} if inner else {}
        return {"class_path": value["class_path"], **named, **others}
    if isinstance(value, Mapping):
        return {key: in_full(item) for key, item in value.items()}
    return [in_full(item) for item in value] if isinstance(value, list) else copy.copy(value)


def arguments_in_full(cls: type, given: Mapping[str, Any], skip: int = 0) -> dict[str, Any]:
    """Return the arguments of a class with its defaults, without those YAML cannot say."""
    found = {}
    for name, argument in arguments_of(cls, skip).items():
        value = in_full(given[name]) if name in given else _plain(argument.default)
        if value is not NOT_PLAIN:
            found[name] = value
    return found


def _plain(value: Any) -> Any:
    """Return a default as YAML says it, or NOT_PLAIN where it cannot."""
    if isinstance(value, enum.Enum):
        return value.name
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return NOT_PLAIN if NOT_PLAIN in items else items
    if isinstance(value, Mapping):
        pairs = {key: _plain(item) for key, item in value.items()}
        return NOT_PLAIN if NOT_PLAIN in pairs.values() else pairs
    return NOT_PLAIN
