"""Values checked against types, and types in words. jsonargparse knows how values are written."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse import ArgumentParser, Namespace

from lightning_gan.errors import InputError, nearest

AS_WRITTEN = (bool, int, float, str, types.NoneType)


def parsed(hint: Any, value: Any) -> Any:
    """Return one plain value as a type has it: a tuple, a path, a function.

    Raises:
        InputError: "got ...; expected ...", without the key.
    """
    kinds = list(map(_as_class, members(hint)))
    if type(value) in AS_WRITTEN and (type(value) in kinds or Any in kinds):
        return value
    try:
        return _parse(hint, value, defaults=False).value
    except Exception as error:
        unknown = _unknown_field(kinds, value)
        expected = f"got {value!r}; expected {describe_hint(hint)}"
        raise InputError(unknown or expected) from error


def built(hint: Any, value: Any) -> Any:
    """Return one value as a class takes it, what is described in it built."""
    found = parsed(hint, value)
    if not _is_described(found):
        return found
    return _parser(hint).instantiate_classes(_parse(hint, value)).value


def whole(hint: Any, value: Any) -> Any:
    """Return a value with whole numbers where whole numbers are asked for, as 1e4 is one.

    Example:
        >>> whole(list[int], [1e4, 0.5]), whole(float, 1e4), whole(int | float, 2.0)
        ([10000, 0.5], 10000.0, 2.0)
    """

    def as_int(kinds: list[Any], item: Any) -> Any:
        is_whole = type(item) is float and item.is_integer()
        return int(item) if is_whole and int in kinds and not {float, Any} & {*kinds} else item

    return _with_types(hint, value, as_int)


def _parse(hint: Any, value: Any, **options: Any) -> Namespace:
    """Parse a value; text stays text where any type will do, and a parser would read it."""
    texts: dict[str, str] = {}

    def hidden(kinds: list[Any], item: Any) -> Any:
        if type(item) is not str or Any not in kinds:
            return item
        name = f"text-{len(texts)}"
        texts[name] = item
        return name

    ready = _long(_with_types(hint, value, hidden))
    found: Namespace = _parser(hint).parse_object({"value": ready}, **options)
    if texts:
        found.value = _shown(found.value, texts)
    return found


def _shown(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return texts.get(value, value)
    if isinstance(value, dict):
        return {key: _shown(item, texts) for key, item in value.items()}
    if isinstance(value, Namespace):
        for key, item in vars(value).items():
            setattr(value, key, _shown(item, texts))
        return value
    if isinstance(value, (list, tuple, set)):
        return type(value)(_shown(item, texts) for item in value)
    return value


def _with_types(hint: Any, value: Any, change: Callable[[list[Any], Any], Any]) -> Any:
    """Return a value, each plain item of which was changed by its types."""
    kinds = list(members(hint))
    for kind in kinds:
        origin, inner = get_origin(kind), get_args(kind)
        if not isinstance(origin, type) or not inner:
            continue
        if isinstance(value, dict) and issubclass(origin, collections.abc.Mapping):
            return {key: _with_types(inner[1], item, change) for key, item in value.items()}
        if isinstance(value, (list, tuple)) and issubclass(origin, collections.abc.Iterable):
            each = inner if origin is tuple and Ellipsis not in inner else inner[:1] * len(value)
            if len(each) == len(value):
                return [_with_types(*pair, change) for pair in zip(each, value, strict=True)]
    return change(kinds, value)


def _unknown_field(kinds: list[Any], value: Any) -> str | None:
    """Return a sentence about a name that is no field of the dataclass that is asked for."""
    found = [k for k in kinds if isinstance(k, type) and dataclasses.is_dataclass(k)]
    if not found or not isinstance(value, dict) or "class_path" in value:
        return None
    names = [field.name for field in dataclasses.fields(found[0])]
    for name in value:
        if name not in names:
            return (
                f"{found[0].__name__} has no field {name!r}{nearest(str(name), names) or '.'} "
                f"Its fields: {', '.join(names)}"
            )
    return None


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
