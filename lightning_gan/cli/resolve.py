"""Every setting checked against the class that takes it, before anything is built.

The result is what jsonargparse takes: ``class_path`` written out and arguments in ``init_args``.
The first thing that is wrong ends in one sentence with its key, the value and what is accepted.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pytorch_lightning import Callback, LightningDataModule, Trainer

from lightning_gan import registry
from lightning_gan.cli import accepted, names
from lightning_gan.cli.accepted import Argument
from lightning_gan.cli.checkpoint import RunCheckpoint
from lightning_gan.cli.compose import TOP
from lightning_gan.cli.tree import RESERVED
from lightning_gan.errors import InputError, PluginError, nearest
from lightning_gan.module import GANModule

OUTPUT_ROOT = "runs"
FROM_DATA = ("sample_shape", "num_classes")
# Top-level callbacks, present unless set to false or null.
CALLBACKS = {
    "checkpoint": f"{RunCheckpoint.__module__}.{RunCheckpoint.__qualname__}",
    "samples": "lightning_gan.callbacks.SampleGrid",
    "curves": "lightning_gan.callbacks.LossCurves",
    "summary": "lightning_gan.callbacks.RunSummary",
    "predictions": "lightning_gan.callbacks.PredictionWriter",
}
REFUSED = {
    "gradient_clip_val": "model.generator_clip_norm and model.discriminator_clip_norm",
    "gradient_clip_algorithm": "model.generator_clip_value and model.discriminator_clip_value",
    "accumulate_grad_batches": "model.micro_batches",
}


def resolve(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings (short form) in long form, complete and checked.

    ``sample_shape`` and ``num_classes`` of the networks may be missing: the data decide them.

    Raises:
        InputError: Something is unknown, missing or of the wrong type.
    """
    for key in settings:
        if key not in TOP:
            raise InputError(f"unknown setting {key!r}{nearest(str(key), TOP)}")
    result: dict[str, Any] = {
        "seed_everything": _seed(settings.get("seed_everything", 0)),
        "trainer": _trainer(settings.get("trainer")),
        "model": _model(settings.get("model")),
        "data": _node("data", settings.get("data"), LightningDataModule),
        "ckpt_path": settings.get("ckpt_path"),
    }
    for key, default in CALLBACKS.items():
        value = settings.get(key, {})
        if value in (None, False):
            result[key] = None
            continue
        value = {} if value is True else value
        if isinstance(value, Mapping):
            value = {"class_path": default, **value}
        result[key] = _node(key, value, Callback)
    return result


def _seed(seed: Any) -> Any:
    if not isinstance(seed, int):  # false: no seed; true: a random one
        raise InputError(f"seed_everything: got {seed!r}; expected int, or false for no seed")
    return seed


def _trainer(trainer: Any) -> dict[str, Any]:
    if not isinstance(trainer, Mapping) and trainer is not None:
        raise InputError(f"trainer: got {trainer!r}; expected trainer.key=value, see --help")
    given = dict(trainer or {})
    for name, instead in REFUSED.items():
        unset = 1 if name == "accumulate_grad_batches" else None
        if given.get(name, unset) not in (unset, None):
            raise InputError(
                f"trainer.{name}: got {given[name]!r}; a GAN has two optimizers, "
                f"so set {instead} instead"
            )
    if given.get("default_root_dir") is None:
        given["default_root_dir"] = OUTPUT_ROOT
    return _init_args("trainer", Trainer, 0, given)


def _model(model: Any) -> dict[str, Any]:
    if isinstance(model, Mapping) and "class_path" not in model:
        model = {"class_path": f"{GANModule.__module__}.{GANModule.__qualname__}", **model}
    return _node("model", model, GANModule)


def _node(path: str, value: Any, *bases: type, skip: int = 0) -> dict[str, Any]:
    """Return the long form of one class, checked.

    Args:
        path: Its key.
        value: Its name, or its ``class_path`` with the arguments beside it.
        bases: What it may be a subclass of.
        skip: Arguments that whoever calls the class passes by position.
    """
    if isinstance(value, str):
        value = {"class_path": value}
    expected = " or ".join(base.__name__ for base in bases)
    if value is None:
        raise InputError(f"{path} is missing; expected a {expected}{_choices(bases)}")
    if not isinstance(value, Mapping) or not isinstance(value.get("class_path"), str):
        concrete = [base for base in bases if not inspect.isabstract(base)]
        if not isinstance(value, Mapping) or not concrete or "class_path" in value:
            got = f"{path}.class_path is missing" if isinstance(value, Mapping) else f"{path}: got {value!r}"
            raise InputError(f"{got}; expected a {expected}{_choices(bases)}")
        value = {**value, "class_path": f"{concrete[0].__module__}.{concrete[0].__qualname__}"}
    cls, class_path = _load(path, value["class_path"], bases)
    if not issubclass(cls, bases):
        raise InputError(
            f"{path}: got {value['class_path']}, a {_kind(cls)}; expected a {expected}"
            f"{_choices(bases)}"
        )
    given = {key: item for key, item in value.items() if key not in RESERVED}
    node = {"class_path": class_path, "init_args": _init_args(path, cls, skip, given)}
    if "dict_kwargs" in value:
        node["dict_kwargs"] = value["dict_kwargs"]
    return node


def _init_args(path: str, cls: type, skip: int, given: Mapping[str, Any]) -> dict[str, Any]:
    known = accepted.arguments(cls, skip)
    for name in given:
        if name not in known:
            accepts = ", ".join(known) or "no settings"
            raise InputError(
                f"{path}.{name}: {cls.__name__} has no such setting"
                f"{nearest(str(name), known) or '.'} It accepts {accepts}"
            )
    for name, argument in known.items():
        filled = path in ("model.generator", "model.discriminator") and name in FROM_DATA
        if argument.required and name not in given and not filled:
            raise InputError(
                f"{path}.{name} is missing; {cls.__name__} expects "
                f"{accepted.describe(argument.hint)}"
            )
    return {
        name: _value(f"{path}.{name}", value, cls, skip, known[name])
        for name, value in given.items()
    }


def _value(path: str, value: Any, cls: type, skip: int, argument: Argument) -> Any:
    if argument.name == "betas" and isinstance(value, list):
        value = [float(x) if isinstance(x, int) else x for x in value]  # Adam refuses a mixture
    nested = _nested(path, value, argument.hint)
    if nested is not None:
        return nested
    try:
        accepted.check_value(cls, skip, argument.name, value)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return value


def _nested(path: str, value: Any, hint: Any) -> Any:
    """Return the long form of a value that is or holds classes, or None if it is a plain value."""
    classes = [pair for member in accepted.members(hint) for pair in _classes(member)]
    bases = tuple(cls for cls, _ in classes)
    plain = any(member in (str, Any, None, accepted.UNTYPED) for member in accepted.members(hint))
    if bases and ((isinstance(value, str) and not plain) or isinstance(value, Mapping)):
        return _node(path, value, *bases, skip=classes[0][1])
    for member in accepted.members(hint):
        origin, inner = get_origin(member), get_args(member)
        if not isinstance(origin, type) or not inner:
            continue
        if isinstance(value, Mapping) and issubclass(origin, collections.abc.Mapping):
            items = {k: _nested(f"{path}.{k}", v, inner[1]) for k, v in value.items()}
            if items and None not in items.values():
                return items
        elif isinstance(value, list) and issubclass(origin, collections.abc.Iterable):
            found = [_nested(f"{path}.{i}", v, inner[0]) for i, v in enumerate(value)]
            if found and None not in found:
                return found
    return None


def _classes(member: Any) -> Iterator[tuple[type, int]]:
    """Yield the classes that a type asks for, with the number of arguments that callers pass."""
    if get_origin(member) is collections.abc.Callable and len(get_args(member)) == 2:
        passed, made = get_args(member)
        for inner in accepted.members(made):
            for cls, _ in _classes(inner):
                yield cls, len(passed) if isinstance(passed, list) else 0
    elif (
        isinstance(member, type)
        and get_origin(member) is None
        and member.__module__.split(".")[0] not in ("builtins", "pathlib", "os", "datetime", "typing")
        and not issubclass(member, enum.Enum)
        and not dataclasses.is_dataclass(member)
    ):
        yield member, 0


def _load(path: str, name: str, bases: tuple[type, ...]) -> tuple[type, str]:
    """Import the class called ``name`` and return it with its class path."""
    kind = next((k.name for k in registry.KINDS.values() if _is_base(k, bases)), None)
    if kind is not None:
        name = names.class_path(kind, path, name)
    entry = registry.find_class(name)
    if entry is not None:
        try:
            return registry.load_entry(entry), name
        except PluginError as error:
            raise PluginError(f"{path}: {error}") from error
    if "." not in name:
        known = {cls.__name__: cls for base in bases for cls in _subclasses(base)}
        if name not in known:
            raise InputError(
                f"{path}: got {name!r}; expected a {' or '.join(b.__name__ for b in bases)}"
                f"{nearest(name, known) or ', by its name or its class path'}"
            )
        return known[name], f"{known[name].__module__}.{known[name].__qualname__}"
    return _import(path, name), name


def load_class(class_path: str) -> type:
    """Import the class at a resolved class path."""
    return _import("class_path", class_path)


def _import(path: str, class_path: str) -> type:
    module, _, attribute = class_path.rpartition(".")
    try:
        found = importlib.import_module(module)
    except Exception as error:
        raise InputError(f"{path}: got {class_path}; {type(error).__name__}: {error}") from error
    cls = getattr(found, attribute, None)
    if not isinstance(cls, type):
        classes = [key for key, value in vars(found).items() if isinstance(value, type)]
        raise InputError(
            f"{path}: got {class_path}; {module} has no class {attribute!r}"
            f"{nearest(attribute, classes)}"
        )
    return cls


def _is_base(kind: registry.Kind, bases: tuple[type, ...]) -> bool:
    return any(base.__name__ == kind.base and base is kind.load_base() for base in bases)


def _kind(cls: type) -> str:
    """Return the kind of component that a class is, or "class"."""
    for kind in registry.KINDS.values():
        if issubclass(cls, kind.load_base()):
            return kind.load_base().__name__
    return "class of another kind"


def _choices(bases: tuple[type, ...]) -> str:
    """Return what may be written where a component is expected."""
    for kind in registry.KINDS.values():
        if _is_base(kind, bases):
            return f" ({', '.join(registry.names(kind.name))}, or a class path)"
    return " (class_path and init_args)"


def _subclasses(base: type) -> Iterator[type]:
    yield base
    for cls in base.__subclasses__():
        yield from _subclasses(cls)
