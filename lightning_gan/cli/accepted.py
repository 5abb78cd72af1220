"""What a class accepts: the names, types, defaults and documentation of its arguments.

jsonargparse reads them from signatures and docstrings and checks values; this turns its answers
into something short.
"""

from __future__ import annotations

import collections.abc
import functools
import inspect
import types
from argparse import SUPPRESS
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from jsonargparse import ArgumentParser, Namespace

from lightning_gan.cli.seams import actions_of, hint_of
from lightning_gan.errors import InputError


@dataclass(frozen=True)
class Argument:
    """One argument of a class.

    Attributes:
        name: Its name.
        hint: Its type, or None where it has none.
        required: Whether it must be given.
        default: Its default.
        doc: Its documentation, on one line.
    """

    name: str
    hint: Any
    required: bool
    default: Any
    doc: str


def arguments(cls: type, skip: int = 0) -> dict[str, Argument]:
    """Return the arguments that a class accepts by name, without the first ``skip``."""
    return _read(cls, skip)[1]


def parsed(cls: type, skip: int, name: str, value: Any) -> Any:
    """Return one plain value of an argument as its type has it: a tuple, a path, a function.

    Raises:
        InputError: "got ...; expected ...", without the key.
    """
    parser, known = _read(cls, skip)
    try:
        return parser.parse_object({name: _long(value)}, defaults=False)[name]
    except Exception as error:
        expected = describe_hint(known[name].hint)
        raise InputError(f"got {value!r}; expected {expected}") from error


def built(cls: type, skip: int, name: str, value: Any) -> Any:
    """Return one value of an argument as the class takes it, what is described in it built."""
    found = parsed(cls, skip, name, value)
    if not _is_described(found):
        return found
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument(f"--{name}", type=arguments(cls, skip)[name].hint)
    config = parser.parse_object({name: _long(value)})
    return parser.instantiate_classes(config)[name]


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


@functools.cache
def _read(cls: type, skip: int) -> tuple[ArgumentParser, dict[str, Argument]]:
    parser = ArgumentParser(exit_on_error=False)
    skipped: set[str | int] = {skip} if skip else set()
    parser.add_class_arguments(cls, fail_untyped=False, sub_configs=True, skip=skipped)
    found = {}
    for action in actions_of(parser):
        name = action.dest.split(".")[0]
        if action.dest in ("help", name) and action.dest != "help":
            hint, default = hint_of(action), action.default
            if default == SUPPRESS:  # of a dataclass, whose fields are arguments of their own
                hint, default = _declared(cls, name)
            doc = " ".join((action.help or "").split()) if isinstance(action.help, str) else ""
            found[name] = Argument(name, hint, action.required, default, doc)
        action.required = False  # values are checked one at a time
    return parser, found


def _declared(cls: type, name: str) -> tuple[Any, Any]:
    """Return type and default of an argument as the constructor that has it declares them."""
    for owner in cls.__mro__:
        init = vars(owner).get("__init__")
        parameter = None if init is None else inspect.signature(init).parameters.get(name)
        if parameter is not None:
            return get_type_hints(init).get(name), parameter.default
    return None, None


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
