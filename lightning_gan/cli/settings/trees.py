"""Operations on nested settings: short form, long form, merging and setting one value.

In the long form a class is ``{"class_path": ..., "init_args": {...}}``, as jsonargparse takes it.
In the short form the arguments stand beside ``class_path``, so that ``model.generator.latent_dim``
and ``model.generator.init_args.latent_dim`` are one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_gan.components.locating import RESERVED
from lightning_gan.errors import InputError
from lightning_gan.files.bounded import excess

DEEPEST = 40
MOST = 100_000  # settings; a YAML file of a few lines can stand for billions


def check_size(value: Any, where: str) -> None:
    """Check settings that were read, before anything walks them; they may contain themselves.

    Args:
        value: The settings.
        where: Where they come from, for the message.

    Raises:
        InputError: They are nested too deep, or too many.
    """
    too_much = excess(value, deepest=DEEPEST, most=MOST)
    if too_much:
        raise InputError(f"{where} {too_much}")


def shorten(value: Any) -> Any:
    """Return the short form; an argument beside ``class_path`` wins over one in ``init_args``."""
    if isinstance(value, list):
        return [shorten(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    short = {str(key): shorten(item) for key, item in value.items()}
    inner = short.get("init_args", {})
    if "init_args" not in short or not isinstance(inner, dict):
        return short
    del short["init_args"]
    outer = merge(inner, {key: item for key, item in short.items() if key not in RESERVED})
    return {**{key: short[key] for key in RESERVED if key in short}, **outer}


def merge(base: Any, new: Any) -> Any:
    """Return ``base`` with ``new`` over it; a node of another class replaces the old one."""
    if not isinstance(base, Mapping) or not isinstance(new, Mapping) or _other_class(base, new):
        return new
    merged = dict(base)
    for key, value in new.items():
        merged[key] = merge(merged[key], value) if key in merged else value
    return merged


def assign(tree: dict[str, Any], path: str, value: Any, *, append: bool = False) -> dict[str, Any]:
    """Return the tree (short form) with one value set.

    Args:
        tree: The settings.
        path: Dotted path; a number picks an item of a list, any other key goes to its last item.
        value: The new value; of a class node with the same class, only the given arguments change.
        append: Add the value to the end of the list at the path.

    Raises:
        InputError: The path leads through a plain value.
    """
    changed = _assigned(tree, keys(path), value, append, path)
    assert isinstance(changed, dict)
    return changed


def remove(tree: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the tree (short form) without the key at a dotted path.

    Raises:
        InputError: There is no such key.
    """
    changed = _removed(tree, keys(path), path)
    assert isinstance(changed, dict)
    return changed


def take_out(tree: dict[str, Any], path: str, what: Any) -> dict[str, Any]:
    """Return the tree (short form) without one item of the list at a dotted path.

    Args:
        tree: The settings.
        path: Where the list is.
        what: The item, or the name or class path of its class.

    Raises:
        InputError: There is no such item.
    """
    found: Any = tree
    for key in keys(path):
        found = found.get(key) if isinstance(found, Mapping) else None
    items = _as_list(found)
    place = next((i for i, item in enumerate(items) if _is_called(item, what)), None)
    if place is None:
        names = [str(_called(item)) for item in items]
        raise InputError(
            f"{path}: there is no {what} to take out; it holds {', '.join(names) or 'nothing'}"
        )
    return assign(tree, path, [*items[:place], *items[place + 1 :]])


def keys(path: str) -> list[str]:
    """Return the keys of a dotted path in the short form."""
    return [key for key in path.split(".") if key != "init_args"]


def _removed(node: Any, keys: Sequence[str], path: str) -> Any:
    key, *rest = keys
    if isinstance(node, list) and key.isdigit() and int(key) < len(node):
        kept = [_removed(node[int(key)], rest, path)] if rest else []
        return [*node[: int(key)], *kept, *node[int(key) + 1 :]]
    if not isinstance(node, Mapping) or key not in node:
        raise InputError(f"~{path}: there is no such setting to remove")
    changed = dict(node)
    if rest:
        changed[key] = _removed(node[key], rest, path)
    else:
        del changed[key]
    return changed


def _called(item: Any) -> Any:
    return item.get("class_path") if isinstance(item, Mapping) else item


def _is_called(item: Any, what: Any) -> bool:
    name = _called(item)
    return item == what or (isinstance(name, str) and what in (name, name.rpartition(".")[2]))


def _assigned(node: Any, keys: Sequence[str], value: Any, append: bool, path: str) -> Any:
    if not keys:
        if append:
            return [*_as_list(node), *_as_list(value)]
        return _replaced(node, value)
    key, *rest = keys
    if isinstance(node, list) and node:
        index = int(key) if key.isdigit() else -1
        if index >= len(node):
            raise InputError(f"{path}: got item {index}; the list has {len(node)}")
        inner = rest if key.isdigit() else keys
        changed = _assigned(node[index], inner, value, append, path)
        return [*node[:index], changed, *node[index:][1:]]
    if isinstance(node, str):
        node = {"class_path": node}
    if node is not None and not isinstance(node, Mapping):
        raise InputError(
            f"{path}: {'.'.join(path.split('.')[: -len(keys)])} is {node!r}, without parts"
        )
    node = dict(node or {})
    if key == "class_path" and not rest and node.get(key, value) != value:
        return {key: value}
    return {**node, key: _assigned(node.get(key), rest, value, append, path)}


def _replaced(old: Any, new: Any) -> Any:
    """Return the new value; a class that was there already keeps what it was given."""
    if not isinstance(new, Mapping) or not isinstance(old, Mapping):
        return new
    if "class_path" in new:
        return merge(old, new)
    return {key: _replaced(old.get(key), value) for key, value in new.items()}


def _other_class(base: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return "class_path" in base and new.get("class_path", base["class_path"]) != base["class_path"]


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
