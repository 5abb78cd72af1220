"""Components that remember how they were built, and the specs that rebuild them from a file.

A spec holds JSON values only: ``{"class_path": ..., "init_args": {...}}`` for an object,
``{"import": "torch.tanh"}`` for an importable function or class and
``{"partial": "torch.optim.Adam", "keywords": {...}}`` for a partial of one. What none of these can
say (a lambda, a bare nn.Module) becomes ``{"unportable": "..."}``: it trains, and loading says
which argument to pass again.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from lightning_gan import registry
from lightning_gan.errors import InputError, PluginError

# What a file may name without being trusted: functions and classes that compute or optimise,
# none of which reads, writes or runs anything.
SAFE_MODULES = ("torch.nn", "torch.optim")
SAFE_FUNCTIONS = frozenset({"torch.tanh", "torch.sigmoid", "torch.relu", "torch.sin", "torch.cos"})


class Specified:
    """Mixin: an object that stores its constructor's arguments as they were given."""

    _arguments: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" not in vars(cls):
            return
        original: Callable[..., None] = cls.__init__
        signature = inspect.signature(original)

        @functools.wraps(original)
        def capture(self: Specified, *args: Any, **kwargs: Any) -> None:
            if "_arguments" not in self.__dict__:  # the outermost constructor is the one called
                self.__dict__["_arguments"] = _bind(signature, self, args, kwargs)
            original(self, *args, **kwargs)

        setattr(cls, "__init__", capture)  # noqa: B010 - mypy forbids the plain assignment

    def arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments by name, as they were given."""
        return dict(self.__dict__.get("_arguments", {}))

    def spec(self) -> dict[str, Any]:
        """Return the JSON description from which :func:`build` makes an equal object."""
        spec: dict[str, Any] = {
            "class_path": _class_path(type(self)),
            "init_args": {name: encode(value) for name, value in self.arguments().items()},
        }
        entry = registry.find_class(spec["class_path"])
        if entry is not None:
            spec["distribution"] = entry.distribution
            spec["version"] = entry.version
        return spec


class Component(Specified, nn.Module):
    """Base of the seven kinds of plugin: an nn.Module that can be rebuilt from its spec.

    Tensors of state live in buffers, Python numbers in ``get_extra_state``. Only networks have
    parameters. Constructors take named arguments: JSON values, other components, importable
    functions and partials of them can be saved.
    """

    def __init__(self) -> None:
        super().__init__()


def encode(value: Any) -> Any:
    """Return the JSON form of one argument; see the module's docstring."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, Specified):
        return value.spec()
    if isinstance(value, functools.partial) and not value.args:
        path = _import_path(value.func)
        if path is not None:
            keywords = {key: encode(item) for key, item in value.keywords.items()}
            return {"partial": path, "keywords": keywords}
    path = _import_path(value)
    return {"unportable": repr(value)[:200]} if path is None else {"import": path}


def build(spec: Any, *, trust: bool = False, where: str = "", given: Mapping[str, Any] = {}) -> Any:
    """Rebuild a value from its JSON form.

    The whole tree is checked before the first import.

    Args:
        spec: What :func:`encode` or :meth:`Specified.spec` returned.
        trust: Import any path that the spec names, not only registered components, torch's
            networks, functions, optimizers and schedulers, and component classes that the running
            program has imported already.
        where: Name of the place for error messages.
        given: Arguments of the outermost object that replace those of the spec, as objects.

    Raises:
        PluginError: A class is unknown, untrusted or not installed.
        InputError: An argument could not be saved and was not passed again.
    """
    if given:
        spec = {**spec, "init_args": {k: v for k, v in spec["init_args"].items() if k not in given}}
    _check(spec, where, trust)
    return _build(spec, where, given)


def _build(spec: Any, where: str, given: Mapping[str, Any]) -> Any:
    if isinstance(spec, list):
        return [_build(item, where, {}) for item in spec]
    if not isinstance(spec, Mapping):
        return spec
    if "class_path" in spec:
        arguments = {k: _build(v, _join(where, k), {}) for k, v in spec["init_args"].items()}
        return _import(spec, spec["class_path"], where)(**{**arguments, **given})
    if "partial" in spec:
        keywords = {k: _build(v, _join(where, k), {}) for k, v in spec["keywords"].items()}
        return functools.partial(_import(spec, spec["partial"], where), **keywords)
    if "import" in spec:
        return _import(spec, spec["import"], where)
    return {key: _build(value, _join(where, key), {}) for key, value in spec.items()}


def _check(spec: Any, where: str, trust: bool) -> None:
    """Walk the tree and refuse what must not be imported, before anything is."""
    if isinstance(spec, list):
        for item in spec:
            _check(item, where, trust)
        return
    if not isinstance(spec, Mapping):
        return
    if "unportable" in spec:
        raise InputError(
            f"{where or 'an argument'} could not be saved with the checkpoint "
            f"({spec['unportable']}); pass it again: "
            f"load_from_checkpoint(path, {where.split('.')[0] or 'argument'}=...)"
        )
    path = spec.get("class_path", spec.get("partial", spec.get("import")))
    if path is None:
        for key, value in spec.items():
            _check(value, _join(where, key), trust)
        return
    allowed = _known_component(path) if "class_path" in spec else _safe_function(path)
    if not (allowed or trust):
        if "distribution" in spec:
            raise PluginError(
                f"{where or 'the checkpoint'} needs {path} from {spec['distribution']} "
                f"{spec.get('version', '')}, which is not installed here. "
                f"Try: pip install {spec['distribution']}"
            )
        raise PluginError(
            f"{where or 'the checkpoint'} names {path}, which is neither a registered component "
            f"nor imported by this program. Import its module first, or, if you trust the file, "
            "pass trust=True"
        )
    for key, value in spec.get("init_args", spec.get("keywords", {})).items():
        _check(value, _join(where, key), trust)


def _known_component(path: str) -> bool:
    """Whether a class path is registered, or names a component class that is imported already."""
    if not isinstance(path, str):
        return False
    if registry.find_class(path) is not None:
        return True
    found = _already_imported(path)
    return isinstance(found, type) and issubclass(found, Specified)


def _safe_function(path: str) -> bool:
    return isinstance(path, str) and (path in SAFE_FUNCTIONS or _in_safe_module(path))


def _in_safe_module(path: str) -> bool:
    """Whether a path names a public function, module, optimizer or scheduler class of torch."""
    module, _, name = path.rpartition(".")
    while module and module not in sys.modules:
        module = module.rpartition(".")[0]
    inside = any(path.startswith(f"{safe}.") for safe in SAFE_MODULES)
    return inside and not name.startswith("_") and _defined_in_torch(_already_imported(path))


def _defined_in_torch(found: Any) -> bool:
    """Whether an object was written in torch's safe modules, not merely imported by them."""
    home = getattr(found, "__module__", None) or ""
    builtin = home in ("torch._C._nn", "torch") and callable(found)
    return builtin or any(home == safe or home.startswith(f"{safe}.") for safe in SAFE_MODULES)


def _already_imported(path: str) -> Any:
    """Return the object at a dotted path whose module is imported already, else None."""
    module = path
    attributes: list[str] = []
    while module and module not in sys.modules:
        module, _, attribute = module.rpartition(".")
        attributes.insert(0, attribute)
    found: Any = sys.modules.get(module)
    for attribute in attributes:
        found = getattr(found, attribute, None)
    return found


def _import(spec: Mapping[str, Any], path: str, where: str) -> Any:
    entry = registry.find_class(path) if "class_path" in spec else None
    if entry is not None:
        return registry.load_entry(entry)
    found = _already_imported(path)
    if found is not None:
        return found
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise PluginError(f"{where or 'the checkpoint'} names {path}: {error}") from error


def _class_path(cls: type) -> str:
    """Return the dotted path of a class, as its entry point spells it where it has one."""
    path = f"{cls.__module__}.{cls.__qualname__}"
    if registry.find_class(path) is None:
        for name in registry.KINDS:
            for entry in registry.entries(name):
                if _already_imported(entry.class_path) is cls:
                    return entry.class_path
    return path


def _import_path(value: Any) -> str | None:
    """Return the dotted path under which a function or class can be imported, or None."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if module is None or name is None:
        return None
    short = name.rpartition(".")[2]
    # torch's built-in functions hide their home, so their public names come first.
    for path in (f"torch.nn.functional.{short}", f"torch.{short}", f"{module}.{name}"):
        if _already_imported(path) is value:
            return path
    return None


def _bind(signature: inspect.Signature, self: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    try:
        bound = signature.bind(self, *args, **kwargs).arguments
    except TypeError:
        return {}  # the constructor itself is about to say what is wrong, and better
    given: dict[str, Any] = {}
    for name, parameter in list(signature.parameters.items())[1:]:
        if name not in bound:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            raise TypeError(f"{type(self).__name__}: a component's arguments must have names")
        if parameter.kind is parameter.VAR_KEYWORD:
            given.update(bound[name])
        else:
            given[name] = bound[name]
    return given


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
