"""Values checked against types, and types in words. jsonargparse knows how values are written."""

from __future__ import annotations

import collections.abc
import functools
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse import ArgumentParser, Namespace

from lightning_gan.errors import InputError

AS_WRITTEN = (bool, int, float, str, types.NoneType)


def parsed(hint: Any, value: Any) -> Any:
    """Return one plain value as a type has it: a tuple, a path, a function.

    Raises:
        InputError: "got ...; expected ...", without the key.
    """
    if type(value) in AS_WRITTEN and type(value) in map(_as_class, members(hint)):
        return value
    try:
        return _parser(hint).parse_object({"value": _long(value)}, defaults=False).value
    except Exception as error:
        raise InputError(f"got {value!r}; expected {describe_hint(hint)}") from error


def built(hint: Any, value: Any) -> Any:
    """Return one value as a class takes it, what is described in it built."""
    found = parsed(hint, value)
    if not _is_described(found):
        return found
    parser = _parser(hint)
    return parser.instantiate_classes(parser.parse_object({"value": _long(value)})).value


@functools.lru_cache(maxsize=512)
def _parser(hint: Any) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=hint)
    return parser


def _as_class(hint: Any) -> Any:
    return types.NoneType if hint is None else hint


def _long(value: Any) -> Any:
    """Return a copy, which parsing may change in place, with the arguments of classes in order."""
    if isinstance(value, list):
        return [_long(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _long(item) for key, item in value.items()}
    if not isinstance(found.get("class_path"), str) or "init_args" in found:
        return found
    own = {key: found.pop(key) for key in ("class_path", "dict_kwargs") if key in found}
    return {**own, "init_args": found} if found else own


def _is_described(value: Any) -> bool:
    """Whether a parsed value is, or holds, the description of an object."""
    if isinstance(value, Namespace):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return isinstance(value, (dict, list, tuple, set)) and any(map(_is_described, inner))


def members(hint: Any) -> Iterator[Any]:
    """Return the alternatives of a type: those of a union, or the type itself."""
    if get_origin(hint) in (Union, types.UnionType):
        for member in get_args(hint):
            yield from members(member)
    else:
        yield hint


def describe_hint(hint: Any) -> str:
    """Return a type as a person reads it.

    Example:
        >>> describe_hint(int | None), describe_hint(Literal["real", "uniform"])
        ('int or null', "'real' or 'uniform'")
    """
    texts = list(dict.fromkeys(_describe(member) for member in members(hint)))
    plain = [text for text in texts if text != "Tensor"]  # nobody writes one in a configuration
    return " or ".join(plain or texts)


def _describe(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is None or hint is type(None):
        return "null"
    if origin is Literal:
        return " or ".join(repr(choice) for choice in inner)
    if origin is collections.abc.Callable:
        made = describe_hint(inner[1]) if inner else "Any"
        return "a function" if made == "Any" else f"a class of {made}"
    if origin is tuple and Ellipsis not in inner:
        return f"[{', '.join(describe_hint(item) for item in inner)}]"
    if origin is not None and issubclass(origin, collections.abc.Mapping):
        return f"names with {describe_hint(inner[1])}" if inner else "key: value"
    if origin is not None and issubclass(origin, collections.abc.Iterable):
        return f"list of {describe_hint(inner[0])}" if inner else "list"
    if hint is bool:
        return "true or false"
    return getattr(hint, "__name__", None) or str(hint)
