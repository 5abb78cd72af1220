"""Components that remember how they were built, and the specs that rebuild them from a file.

A spec is plain JSON. Every mapping in it is one of these nodes, with exactly these keys:

- ``{"class_path", "init_args"}``: an object, with ``distribution`` and ``version`` of its plugin
- ``{"partial", "keywords"}``: a partial of an importable function or class
- ``{"import"}``: an importable function or class; both with ``distribution`` and ``version`` where
  it is a plugin's optimizer or learning-rate scheduler
- ``{"tuple"}`` and ``{"dict"}``: what JSON cannot tell from a list and from a node
- ``{"unportable"}``: what none of these can say (a lambda, a bare nn.Module); it trains, and
  loading says which argument to pass again
"""

from __future__ import annotations

import functools
import importlib
import inspect
import numbers
import os
import re
import reprlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lightning_gan.components import registry
from lightning_gan.components.taking import Taken
from lightning_gan.errors import InputError, PluginError
from lightning_gan.files.bounded import excess, items

# Functions that a file may name without being trusted, besides those of torch.nn.functional.
SAFE_FUNCTIONS = frozenset(
    {"torch.abs", "torch.cos", "torch.erf", "torch.exp", "torch.relu", "torch.sigmoid"}
    | {"torch.sin", "torch.square", "torch.tanh"}
)
DEEPEST = 40
SHOWN = 300  # characters of somebody else's text
TOOLS = ("optimizer", "lr_scheduler")  # kinds that are named, and made when the module is known
MOST = 300_000  # parts of a spec; a small pickle can stand for billions
# What a file may put into a sentence, since people paste what an error tells them to.
IMPORT_PATH = re.compile(r"[\w.<>]{1,300}")
DISTRIBUTION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]{0,98}")
_NODES = (
    {"class_path", "init_args"},
    {"class_path", "init_args", "distribution", "version"},
    {"partial", "keywords"},
    {"partial", "keywords", "distribution", "version"},
    {"import"},
    {"import", "distribution", "version"},
    {"tuple"},
    {"dict"},
    {"unportable"},
)


# Objects that know their arguments ------------------------------------------------------------


class Specified:
    """Mixin: an object that stores its constructor's arguments as they were given.

    They are noted before the constructor runs, whatever it is: one of a dataclass, one that hands
    ``**kwargs`` on, or one of another base class.
    """

    _arguments: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:  # typed as the class itself by its __init__
        """Note the arguments; a copy, which is made without any, gets those of the original."""
        made = super().__new__(cls)
        made.__dict__["_arguments"] = _bound(cls, args, kwargs)
        return made

    def arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments by name, as they were given."""
        return dict(self.__dict__.get("_arguments", {}))

    def spec(self) -> dict[str, Any]:
        """Return the JSON description from which :func:`build` makes an equal object."""
        spec: dict[str, Any] = {
            "class_path": _class_path(type(self)),
            "init_args": {name: encode(value) for name, value in self.arguments().items()},
        }
        return {**spec, **_origin(spec["class_path"], *_kinds(type(self)))}


class Component(Specified, nn.Module):
    """Base of every kind of plugin that is ours: an nn.Module that can be rebuilt from its spec.

    Tensors of state live in buffers, Python numbers in ``get_extra_state``. Networks have
    parameters, and other parts those that ``trained_by`` or ``weights_from`` speaks for.
    Constructors take named arguments: JSON values, other components, importable functions and
    partials of them can be saved.
    """

    def __init__(self) -> None:
        super().__init__()


def _bound(cls: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's arguments by name; ``*args`` go to the next constructor in line."""
    signature = _signature(cls)
    try:
        bound = signature.bind(None, *args, **kwargs).arguments
    except TypeError:
        return {}  # the constructor itself is about to say what is wrong, and better
    given: dict[str, Any] = {}
    for name, parameter in list(signature.parameters.items())[1:]:
        if name not in bound:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            owner = next(base for base in cls.__mro__ if "__init__" in vars(base))
            following = inspect.signature(super(owner, cls).__init__).parameters  # type: ignore[arg-type]
            names = [n for n in following if n != "self"]
            if len(names) < len(bound[name]):
                raise TypeError(f"{cls.__name__}: a component's arguments must have names")
            given.update(zip(names, bound[name], strict=False))
        elif parameter.kind is parameter.VAR_KEYWORD:
            given.update(bound[name])
        else:
            given[name] = bound[name]
    return {name: type(v)(v) if type(v) in (list, dict) else v for name, v in given.items()}


@functools.lru_cache(maxsize=512)
def _signature(cls: type) -> inspect.Signature:
    return inspect.signature(cls.__init__)  # type: ignore[misc]


# Objects to specs -----------------------------------------------------------------------------


def encode(value: Any) -> Any:
    """Return the JSON form of one argument; see the module's docstring."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (str, os.PathLike)):  # string enumerations too
        return str(getattr(value, "value", value))
    if isinstance(value, numbers.Integral):  # NumPy's numbers too
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"dict": {str(key): encode(item) for key, item in value.items()}}
    if isinstance(value, Specified):
        return value.spec()
    value = _of_a_class(value)
    if isinstance(value, functools.partial) and not value.args:
        path = _import_path(value.func)
        if path is not None:
            keywords = {key: encode(item) for key, item in value.keywords.items()}
            return {"partial": path, "keywords": keywords, **_origin(path, *TOOLS)}
    path = _import_path(value)
    if path is None:
        return {"unportable": repr(value)[:200]}
    return {"import": path, **_origin(path, *TOOLS)}


def _of_a_class(value: Any) -> Any:
    """Return a partial in which jsonargparse (LightningCLI) wraps a class as one of the class.

    Without what the class has as defaults: they may be others in another release.
    """
    if not isinstance(value, functools.partial):
        return value
    made = next((x for x in value.args if isinstance(x, type)), None)
    home = getattr(value.func, "__module__", None) or ""
    if made is None or not home.startswith("jsonargparse."):
        return value
    known = inspect.signature(made).parameters
    given = {
        name: item
        for name, item in value.keywords.items()
        if name not in known or item != known[name].default
    }
    return functools.partial(made, **given)


def _origin(path: str, *kinds: str) -> dict[str, str]:
    """Return what a node says of the distribution that registers its class as one of the kinds."""
    found = registry.find_classes(path, *kinds) if kinds else []
    if not found:
        return {}
    return {"distribution": found[0].distribution, "version": found[0].version}


def _kinds(cls: type) -> list[str]:
    """Return the kinds of component that a class is; others may register it by mistake."""
    kinds = registry.KINDS.values()
    return [kind.name for kind in kinds if issubclass(cls, kind.load_base())]


def _class_path(cls: type) -> str:
    """Return the dotted path of a class, as its entry point spells it where it has one."""
    path, kinds = f"{cls.__module__}.{cls.__qualname__}", _kinds(cls)
    if not kinds or registry.find_classes(path, *kinds):
        return path
    registered = (entry.class_path for name in kinds for entry in registry.entries(name))
    return next((other for other in registered if _already_imported(other) is cls), path)


def _import_path(value: Any) -> str | None:
    """Return the dotted path under which a function or class can be imported, or None."""
    if isinstance(value, type) and issubclass(value, (Optimizer, LRScheduler)):
        path = _class_path(value)
        if registry.find_classes(path, *TOOLS):
            return path
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if module is None or name is None:
        return None
    short = name.rpartition(".")[2]
    # torch's built-in functions hide their home, so their public names come first.
    for path in (f"torch.nn.functional.{short}", f"torch.{short}", f"{module}.{name}"):
        if _already_imported(path) is value:
            return path
    return None


def is_portable(spec: Any) -> bool:
    """Whether a spec holds everything that rebuilding needs, as far as :func:`build` reads it."""
    missing = False

    def inner(node: Any) -> Iterable[Any]:
        nonlocal missing
        missing |= isinstance(node, Mapping) and "unportable" in node
        return () if missing else items(node)

    excess(spec, deepest=MOST, most=MOST, inner=inner)
    return not missing


# Specs to objects -----------------------------------------------------------------------------


def build(
    spec: Any, *, trust: bool = False, where: str = "", given: Mapping[str, Any] | None = None
) -> Any:
    """Rebuild a value from its JSON form.

    The whole tree is checked before the first import.

    Args:
        spec: What :func:`encode` or :meth:`Specified.spec` returned.
        trust: Import any path that the spec names, not only registered components, optimizers and
            schedulers, torch's networks, functions, optimizers and schedulers, and component
            classes that the running program has imported already.
        where: Name of the place for error messages.
        given: Arguments of the outermost object that replace those of the spec, as objects.

    Raises:
        PluginError: A class is unknown, untrusted or not installed.
        InputError: The spec is damaged, its arguments do not fit the class, or an argument could
            not be saved and was not passed again.
    """
    given = given or {}
    if given and isinstance(spec, Mapping) and isinstance(spec.get("init_args"), Mapping):
        kept = {key: item for key, item in spec["init_args"].items() if key not in given}
        spec = {**spec, "init_args": kept}
    _check(spec, where, trust)
    return _build(spec, where, given)


def _children(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of a node, by name."""
    return next((node[key] for key in ("init_args", "keywords", "dict") if key in node), {})


def _path(node: Mapping[str, Any]) -> Any:
    """Return the dotted path that a node names, or None."""
    return next((node[key] for key in ("class_path", "partial", "import") if key in node), None)


def _check(spec: Any, where: str, trust: bool) -> None:
    """Walk the tree and refuse what is damaged or must not be imported, before anything is."""

    def inner(node: tuple[Any, str]) -> Iterator[tuple[Any, str]]:
        for key, child in _check_node(*node, trust):
            yield child, _join(node[1], key)

    too_much = excess((spec, where), deepest=DEEPEST, most=MOST, inner=inner)
    if too_much:
        raise InputError(f"{_place(where)} {too_much}")


def _check_node(spec: Any, where: str, trust: bool) -> Iterator[tuple[str, Any]]:
    """Check one node and yield its children."""
    if spec is None or type(spec) in (bool, int, float, str):
        return
    if type(spec) is list:
        yield from ((str(index), item) for index, item in enumerate(spec))
        return
    if type(spec) is not dict or set(spec) not in _NODES:
        raise InputError(f"{_place(where)} is damaged: {reprlib.repr(spec)} is no part of a spec")
    if "unportable" in spec:
        argument = printable(where.split(".")[0]) or "argument"
        raise InputError(
            f"{_place(where)} could not be saved with the checkpoint "
            f"({printable(spec['unportable'])}); "
            f"pass it again: load_from_checkpoint(path, {argument}=...)"
        )
    if "tuple" in spec:
        if type(spec["tuple"]) is not list:
            raise InputError(f"{_place(where)} is damaged: a tuple must hold a list")
        yield "tuple", spec["tuple"]
        return
    path, children = _path(spec), _children(spec)
    if type(children) is not dict or not all(type(key) is str for key in children):
        raise InputError(f"{_place(where)} is damaged: its arguments have no names")
    if "dict" not in spec:
        if not _is_text(path, IMPORT_PATH):
            raise InputError(f"{_place(where)} is damaged: {reprlib.repr(path)} is no import path")
        _check_origin(spec, where)
        _check_path(spec, path, where, trust)
    yield from children.items()


def _check_origin(spec: Mapping[str, Any], where: str) -> None:
    """Refuse a distribution and version that nothing can have."""
    if "distribution" in spec:
        for key, pattern in (("distribution", DISTRIBUTION), ("version", VERSION)):
            if not _is_text(spec[key], pattern):
                raise InputError(
                    f"{_place(where)} is damaged: {reprlib.repr(spec[key])} is no {key} of a plugin"
                )


def _check_path(spec: Mapping[str, Any], path: str, where: str, trust: bool) -> None:
    if trust or (_is_component(path) if "class_path" in spec else _may_be_named(path)):
        return
    if "distribution" in spec:
        raise PluginError(
            f"{_place(where)} needs {path} from {spec['distribution']} {spec['version']}, "
            f"which is not installed here. Try: pip install {spec['distribution']}"
        )
    if "class_path" in spec:
        raise PluginError(
            f"{_place(where)} names {path}, which is neither a registered component nor imported "
            "by this program. Import its module first, or, if you trust the file, pass trust=True"
        )
    raise PluginError(
        f"{_place(where)} names {path}, which is neither a registered optimizer or scheduler nor "
        "one of torch's functions, networks, optimizers or schedulers. Pass that argument again, "
        "as an object, or, if you trust the file, pass trust=True"
    )


def _is_component(path: str) -> bool:
    """Whether a class path is registered, or names a component class that is imported already."""
    found = _already_imported(path)
    imported = isinstance(found, type) and issubclass(found, Specified)
    return imported or bool(registry.find_classes(path))


def _may_be_named(path: str) -> bool:
    """Whether a path names a registered optimizer or scheduler, or something harmless of torch."""
    return _is_harmless(path) or bool(registry.find_classes(path, *TOOLS))


def _is_harmless(path: str) -> bool:
    """Whether a path names a function, network, optimizer or scheduler of torch.

    None of these reads, writes or runs anything when it is called.
    """
    found = _already_imported(path)
    if isinstance(found, type):
        defined_in: str = found.__module__
        network = issubclass(found, nn.Module) and defined_in.startswith("torch.nn.modules.")
        return network or (issubclass(found, (Optimizer, LRScheduler)) and _in_optim(defined_in))
    module, _, name = path.rpartition(".")
    home = getattr(found, "__module__", None)
    functional = module == "torch.nn.functional" and not name.startswith("_")
    ours = home in ("torch.nn.functional", "torch._C._nn", "torch", None)
    return inspect.isroutine(found) and ((functional and ours) or path in SAFE_FUNCTIONS)


def _in_optim(home: str) -> bool:
    return home == "torch.optim" or home.startswith("torch.optim.")


def _already_imported(path: str) -> Any:
    """Return what a dotted path names in a module that is imported already, else None.

    Nothing is imported by looking: attributes come from the module's own dictionary and from
    classes, never from a module's ``__getattr__`` or from a module inside another.
    """
    module: str = path
    attributes: list[str] = []
    found: Any
    while module and not isinstance(sys.modules.get(module), ModuleType):
        module, _, attribute = module.rpartition(".")
        attributes.insert(0, attribute)
    found = sys.modules.get(module) if attributes else None
    for attribute in attributes:
        if isinstance(found, type):
            found = inspect.getattr_static(found, attribute, None)
        else:
            found = vars(found).get(attribute) if isinstance(found, ModuleType) else None
        if isinstance(found, ModuleType):
            return None
    return found


def _build(spec: Any, where: str, given: Mapping[str, Any]) -> Any:
    """Build a tree that has been checked."""
    if isinstance(spec, list):
        return [_build(item, where, {}) for item in spec]
    if not isinstance(spec, Mapping):
        return spec
    if "tuple" in spec:
        return tuple(_build(spec["tuple"], where, {}))
    arguments = {key: _build(item, _join(where, key), {}) for key, item in _children(spec).items()}
    if "dict" in spec:
        return arguments
    found = _import(spec, where)
    if "import" in spec:
        return found
    if "partial" in spec:
        return functools.partial(found, **arguments)
    return _construct(found, {**arguments, **given}, where)


def _construct(cls: Callable[..., Any], arguments: dict[str, Any], where: str) -> Any:
    name = f"{_place(where)}: {getattr(cls, '__name__', repr(cls))}"
    try:
        if isinstance(cls, type):
            Taken(cls).check(name, map(printable, arguments))
        return cls(**arguments)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{name} does not take these arguments: {printable(error)}") from error


def _import(spec: Mapping[str, Any], where: str) -> Any:
    path = _path(spec)
    entries = registry.find_classes(path, *(() if "class_path" in spec else TOOLS))
    if entries:
        return registry.load_class_of(entries)
    found = _already_imported(path)
    if found is not None:
        return found
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:
        raise PluginError(f"{_place(where)} names {path}: {printable(error)}") from error


def printable(value: Any) -> str:
    """Return somebody else's text on one line, cut, and without what steers a terminal."""
    text = str(value) if isinstance(value, (str, Exception)) else reprlib.repr(value)
    text = " ".join(text.split())
    return "".join(c if c.isprintable() else "?" for c in text[:SHOWN])


def _join(where: str, key: str) -> str:
    return (f"{where}.{key}" if where else key)[:SHOWN]


def _place(where: str) -> str:
    return printable(where) or "the checkpoint"


def _is_text(value: Any, pattern: re.Pattern[str]) -> bool:
    return type(value) is str and pattern.fullmatch(value) is not None
