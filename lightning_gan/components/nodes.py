"""Objects described by nested settings: checked and built.

A node is a class by its name or class path with its arguments beside it. Every argument is checked
against the constructor that takes it before anything is built; the first thing that is wrong ends
in one sentence with its key, the value and what is accepted.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, get_args, get_origin

from lightning_gan.components.hints import built, describe_hint, members, parsed, whole
from lightning_gan.components.locating import (
    FUNCTION,
    RESERVED,
    choices_for,
    find_subclass,
    kind_of,
    load_class,
    says_class,
)
from lightning_gan.components.taking import Argument, arguments_of
from lightning_gan.errors import InputError, nearest

LISTED = 15  # settings of a class that an error lists
VALUE_MODULES = ("builtins", "datetime", "os", "pathlib", "typing")
DEFAULTS = {"average": "ema"}  # what is meant where the arguments stand without a class


class Node(dict[str, Any]):
    """A class in checked settings: ``class_path``, ``init_args``, perhaps ``dict_kwargs``.

    Args:
        content: These.
        skip: Of what is made later, how many arguments its maker adds; None: it is made at once.
    """

    def __init__(self, content: Mapping[str, Any], skip: int | None = None) -> None:
        super().__init__(content)
        self.skip = skip


class Nodes(list[Any]):
    """Several nodes, for a container.

    Args:
        items: The nodes.
        kind: The container: list, tuple, set or frozenset.
    """

    def __init__(self, items: list[Any], kind: type) -> None:
        super().__init__(items)
        self.kind = kind if kind in (tuple, set, frozenset) else list


# Settings to nodes ----------------------------------------------------------------------------


class Checker:
    """Checks settings against the classes that take them.

    Args:
        later: Keys of required arguments that may be missing: somebody adds them.
        all_of_them: Where to find all settings of a class, in place of a long list in an error.
    """

    def __init__(self, later: Collection[str] = (), all_of_them: str = "") -> None:
        self.later = later
        self.all_of_them = all_of_them

    def node(self, path: str, value: Any, *bases: type, skip: int | None = None) -> Node:
        """Return one class with its arguments, checked.

        Args:
            path: Its key.
            value: Its name, or its ``class_path`` with the arguments beside it.
            bases: What it may be a subclass of.
            skip: Of what is made later, how many arguments its maker passes by position.

        Raises:
            InputError: Something is unknown, missing or of the wrong type.
        """
        if isinstance(value, str):
            value = {"class_path": value}
        expected = f"expected {choices_for(bases)}"
        if value is None:
            raise InputError(f"{path} is missing; {expected}")
        if not isinstance(value, Mapping):
            raise InputError(f"{path}: got {value!r}; {expected}")
        if not isinstance(value.get("class_path", ""), str):
            raise InputError(f"{path}.class_path: got {value['class_path']!r}; {expected}")
        name = value["class_path"] if "class_path" in value else _meant(bases)
        if name is None:
            raise InputError(f"{path}.class_path is missing; {expected}")
        cls, class_path = find_subclass(path, name, bases)
        given = {key: item for key, item in value.items() if key not in RESERVED}
        init_args = self.arguments(path, cls, given, skip or 0)
        node = Node({"class_path": class_path, "init_args": init_args}, skip)
        if "dict_kwargs" in value:
            more = node["dict_kwargs"] = value["dict_kwargs"]
            if not isinstance(more, Mapping):
                raise InputError(f"{path}.dict_kwargs: got {more!r}; expected key: value")
            for key in arguments_of(cls, skip or 0).keys() & more.keys():
                raise InputError(
                    f"{path}.dict_kwargs.{key}: {cls.__name__} has a setting of this name; write "
                    f"{path}.{key}"
                )
        return node

    def arguments(
        self, path: str, cls: type, given: Mapping[str, Any], skip: int = 0
    ) -> dict[str, Any]:
        """Return the arguments of a class, checked.

        Raises:
            InputError: One is unknown, missing or of the wrong type.
        """
        known = arguments_of(cls, skip)
        for name in given:
            if name not in known:
                accepts = f"It accepts {', '.join(known) or 'no settings'}"
                if len(known) > LISTED and self.all_of_them:
                    accepts = self.all_of_them
                raise InputError(
                    f"{path}.{name}: {cls.__name__} has no such setting"
                    f"{nearest(str(name), known) or '.'} {accepts}"
                )
        for name, argument in known.items():
            key = f"{path}.{name}"
            null = type(None) in members(argument.hint) and name in given
            if argument.required and given.get(name) is None and not null and key not in self.later:
                bases = tuple(base for base, _ in _classes(argument.hint))
                wanted = choices_for(bases) if bases else describe_hint(argument.hint)
                meaning = argument.meaning()
                raise InputError(
                    f"{key} is missing; expected {wanted}{meaning and f', {meaning}'}: {key}=..."
                )
        return {name: self._value(f"{path}.{name}", v, known[name]) for name, v in given.items()}

    def _value(self, path: str, value: Any, argument: Argument) -> Any:
        if argument.name == "betas" and isinstance(value, list):
            value = [float(x) if isinstance(x, int) else x for x in value]  # Adam wants one type
        value = whole(argument.hint, value)
        nested = self._nested(path, value, argument.hint)
        if nested is not None:
            return nested
        try:
            parsed(argument.hint, value)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        return value

    def _nested(self, path: str, value: Any, hint: Any) -> Any:
        """Return a value that is or holds classes, checked, or None if it is a plain value."""
        classes = _classes(hint)
        if not classes and _takes_functions(hint) and says_class(value):
            return self.node(path, value, *FUNCTION)
        bases = tuple(cls for cls, _ in classes)
        others = [m for m in members(hint) if m is not type(None) and not _classes(m)]
        text = isinstance(value, str) and any(m in others for m in (str, Any, None))
        plain = value is None or text
        if isinstance(value, Mapping) and "class_path" not in value:
            plain = plain or any(map(dataclasses.is_dataclass, others))
        if bases and not plain and (isinstance(value, (str, Mapping)) or not others):
            return self.node(path, value, *bases, skip=classes[0][1])
        for member in members(hint):
            origin, inner = get_origin(member), get_args(member)
            if not isinstance(origin, type) or not inner:
                continue
            if isinstance(value, Mapping) and issubclass(origin, collections.abc.Mapping):
                items = {k: self._nested(f"{path}.{k}", v, inner[1]) for k, v in value.items()}
                if items and None not in items.values():
                    return items
            elif isinstance(value, list) and issubclass(origin, collections.abc.Iterable):
                found = [self._nested(f"{path}.{i}", v, inner[0]) for i, v in enumerate(value)]
                if found and None not in found:
                    return Nodes(found, origin)
        return None


def _meant(bases: tuple[type, ...]) -> str | None:
    """Return the class that is meant where the arguments stand without one."""
    kind = kind_of(bases[0])
    if kind is not None:
        return DEFAULTS.get(kind.name)
    if len(bases) > 1 or inspect.isabstract(bases[0]):
        return None
    return f"{bases[0].__module__}.{bases[0].__qualname__}"


def _classes(hint: Any) -> list[tuple[type, int | None]]:
    """Return the classes that a type asks for, and of those made later what a maker adds."""
    found: list[tuple[type, int | None]] = []
    for member in members(hint):
        if get_origin(member) is collections.abc.Callable and len(get_args(member)) == 2:
            added, made = get_args(member)
            number = len(added) if isinstance(added, list) else 0
            found += [(cls, number) for cls, _ in _classes(made)]
        elif member is FUNCTION[0] or not isinstance(member, type) or _is_value(member):
            continue
        elif get_origin(member) is None:
            found.append((member, None))
    return found


def _takes_functions(hint: Any) -> bool:
    return any(FUNCTION[0] in (each, get_origin(each)) for each in members(hint))


def _is_value(cls: type) -> bool:
    """Whether an instance is written as a plain value, not as a class with arguments."""
    return (
        cls.__module__.split(".")[0] in VALUE_MODULES
        or issubclass(cls, enum.Enum)
        or (cls.__module__, cls.__name__) == ("torch", "Tensor")
        or dataclasses.is_dataclass(cls)
    )


# Nodes to objects -----------------------------------------------------------------------------

Explain = Callable[[Exception, str, type], Exception]


def as_it_is(error: Exception, key: str, cls: type) -> Exception:
    """Return what a constructor raised."""
    return error


def build_node(key: str, node: Node, explain: Explain = as_it_is) -> Any:
    """Build the object that a node describes, those that it is built from first.

    Args:
        key: Where it stands in the settings.
        node: Its class and arguments, checked.
        explain: Given what a constructor raised, the key and the class: what is raised instead.

    Returns:
        The object; of what is made later a partial that makes it.
    """
    cls, skip = load_class(node["class_path"]), node.skip or 0
    arguments = build_arguments(key, cls, node["init_args"], explain, skip)
    arguments.update(node.get("dict_kwargs", {}))
    if node.skip is not None:
        return functools.partial(cls, **arguments)
    try:
        return cls(**arguments)
    except Exception as error:
        explained = explain(error, key, cls)
        if explained is error:
            raise
        raise explained from error


def build_arguments(
    key: str, cls: type, given: Mapping[str, Any], explain: Explain, skip: int = 0
) -> dict[str, Any]:
    """Return the checked arguments of a class as objects; see :func:`build_node`."""
    known = arguments_of(cls, skip)
    return {
        name: _built(f"{key}.{name}", value, explain)
        if _holds_nodes(value)
        else built(known[name].hint, value)
        for name, value in given.items()
    }


def _built(key: str, value: Any, explain: Explain) -> Any:
    if isinstance(value, Node):
        return build_node(key, value, explain)
    if isinstance(value, dict):
        return {name: _built(f"{key}.{name}", item, explain) for name, item in value.items()}
    items = [_built(f"{key}.{index}", item, explain) for index, item in enumerate(value)]
    return value.kind(items) if isinstance(value, Nodes) else items


def _holds_nodes(value: Any) -> bool:
    if isinstance(value, Node):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return isinstance(value, (dict, list)) and any(map(_holds_nodes, inner))
