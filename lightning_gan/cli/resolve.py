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
from typing import Any, cast, get_args, get_origin

import torch
from pytorch_lightning import Callback, LightningDataModule, Trainer

from lightning_gan.cli import accepted, short_names
from lightning_gan.cli.accepted import Argument
from lightning_gan.cli.compose import TOP
from lightning_gan.cli.trees import RESERVED
from lightning_gan.components import registry
from lightning_gan.errors import InputError, PluginError, nearest
from lightning_gan.training.module import GANModule

OUTPUT_ROOT = "runs"
LISTED = 15  # settings of a class that an error lists
VALUE_MODULES = ("builtins", "datetime", "os", "pathlib", "typing")
PLAYERS = ("generator", "discriminator")
FROM_DATA = ("sample_shape", "num_classes")  # of both, where the data tell them
FUNCTION: tuple[type] = (cast(type, collections.abc.Callable),)  # or objects called like one
PUBLIC = "lightning_gan"
# Where classes are that go by their names; others by their class paths.
HOMES = {
    "Callback": ("lightning_gan.callbacks", "pytorch_lightning.callbacks"),
    "Logger": ("pytorch_lightning.loggers",),
    "LightningDataModule": ("lightning_gan.data",),
    "Profiler": ("pytorch_lightning.profilers",),
    "Strategy": ("pytorch_lightning.strategies",),
    "Precision": ("pytorch_lightning.plugins",),
    "CheckpointIO": ("pytorch_lightning.plugins",),
    "ClusterEnvironment": ("pytorch_lightning.plugins.environments",),
    "Optimizer": ("torch.optim",),
    "LRScheduler": ("torch.optim.lr_scheduler",),
    "Schedule": ("lightning_gan.schedules",),
    "Callable": (),
}
DEFAULTS = {"average": "ema"}  # what is meant where the arguments stand without a class
ON_REQUEST = ("evaluation", "export")  # the others are there unless set to false or null
REFUSED = {
    "gradient_clip_val": "model.generator_clip_norm and model.discriminator_clip_norm",
    "gradient_clip_algorithm": "model.generator_clip_value and model.discriminator_clip_value",
    "accumulate_grad_batches": "model.micro_batches",
}


class Node(dict[str, Any]):
    """A class in resolved settings: ``class_path``, ``init_args``, perhaps ``dict_kwargs``.

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
        "threads": _threads(settings.get("threads")),
        "trainer": _trainer(settings.get("trainer")),
        "model": _model(settings.get("model")),
        "data": _node("data", settings.get("data"), LightningDataModule),
        "ckpt_path": settings.get("ckpt_path"),
    }
    for key, default in short_names.CALLBACKS.items():
        value = settings.get(key, None if key in ON_REQUEST else {})
        if value in (None, False):
            result[key] = None
            continue
        value = {} if value is True else value
        if isinstance(value, Mapping):
            value = {"class_path": default, **value}
        result[key] = _node(key, value, Callback)
    return result


def _seed(seed: Any) -> Any:
    if not isinstance(seed, int):  # false: no seed; true: 0, as Lightning has it
        raise InputError(f"seed_everything: got {seed!r}; expected int, or false for no seed")
    return seed


def _threads(threads: Any) -> Any:
    if threads is not None and (type(threads) is not int or threads < 1):
        raise InputError(
            f"threads: got {threads!r}; expected a number of CPU threads, or null for "
            "torch's choice"
        )
    return threads


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
        model = {"class_path": short_names.MODULE, **model}
    return _node("model", model, GANModule)


def _node(path: str, value: Any, *bases: type, skip: int | None = None) -> Node:
    """Return the long form of one class, checked.

    Args:
        path: Its key.
        value: Its name, or its ``class_path`` with the arguments beside it.
        bases: What it may be a subclass of.
        skip: Of what is made later, how many arguments its maker passes by position.
    """
    if isinstance(value, str):
        value = {"class_path": value}
    expected = f"expected {_a(bases)}{_choices(bases)}"
    if value is None:
        raise InputError(f"{path} is missing; {expected}")
    if not isinstance(value, Mapping):
        raise InputError(f"{path}: got {value!r}; {expected}")
    if not isinstance(value.get("class_path", ""), str):
        raise InputError(f"{path}.class_path: got {value['class_path']!r}; {expected}")
    if "class_path" not in value:
        kind = _kind(bases[0])
        default = f"{bases[0].__module__}.{bases[0].__qualname__}"
        if len(bases) > 1 or inspect.isabstract(bases[0]) or kind is not None:
            if kind is None or kind.name not in DEFAULTS:
                raise InputError(f"{path}.class_path is missing; {expected}")
            default = DEFAULTS[kind.name]
        value = {**value, "class_path": default}
    cls, class_path = _load(path, value["class_path"], bases)
    if not issubclass(cls, bases):
        kind = _kind(cls)
        what = f", {_a((kind.load_base(),))}" if kind is not None else ""
        raise InputError(f"{path}: got {value['class_path']}{what}; {expected}")
    given = {key: item for key, item in value.items() if key not in RESERVED}
    node = Node(
        {"class_path": class_path, "init_args": _init_args(path, cls, skip or 0, given)}, skip
    )
    if "dict_kwargs" in value:
        more = value["dict_kwargs"]
        if not isinstance(more, Mapping):
            raise InputError(f"{path}.dict_kwargs: got {more!r}; expected key: value")
        node["dict_kwargs"] = value["dict_kwargs"]
    return node


def _init_args(path: str, cls: type, skip: int, given: Mapping[str, Any]) -> dict[str, Any]:
    known = accepted.arguments(cls, skip)
    for name in given:
        if name not in known:
            accepts = f"It accepts {', '.join(known) or 'no settings'}"
            if len(known) > LISTED:
                accepts = "See --print_config for all of them"
            raise InputError(
                f"{path}.{name}: {cls.__name__} has no such setting"
                f"{nearest(str(name), known) or '.'} {accepts}"
            )
    for name, argument in known.items():
        filled = path in [f"model.{player}" for player in PLAYERS] and name in FROM_DATA
        if argument.required and given.get(name) is None and not filled:
            bases = tuple(base for base, _ in _classes(argument.hint))
            wanted = (
                f"{_a(bases)}{_choices(bases)}" if bases else accepted.describe_hint(argument.hint)
            )
            raise InputError(f"{path}.{name} is missing; expected {wanted}")
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
        accepted.parsed(cls, skip, argument.name, value)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return value


def _nested(path: str, value: Any, hint: Any) -> Any:
    """Return the long form of a value that is or holds classes, or None if it is a plain value."""
    classes = _classes(hint)
    if not classes and _takes_functions(hint) and _says_class(value):
        return _node(path, value, *FUNCTION)
    bases = tuple(cls for cls, _ in classes)
    others = [m for m in accepted.members(hint) if m is not type(None) and not _classes(m)]
    plain = value is None or (isinstance(value, str) and any(m in others for m in (str, Any, None)))
    if bases and not plain and (isinstance(value, (str, Mapping)) or not others):
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
                return Nodes(found, origin)
    return None


def _classes(hint: Any) -> list[tuple[type, int | None]]:
    """Return the classes that a type asks for, and of those made later what a maker adds."""
    found: list[tuple[type, int | None]] = []
    for member in accepted.members(hint):
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
    return any(FUNCTION[0] in (each, get_origin(each)) for each in accepted.members(hint))


def _says_class(value: Any) -> bool:
    """Whether a value names a class with its arguments, or just a class, and no function."""
    if not isinstance(value, str):
        return isinstance(value, Mapping) and "class_path" in value
    module, _, attribute = value.rpartition(".")
    try:
        return isinstance(getattr(importlib.import_module(module), attribute), type)
    except Exception:  # whatever is wrong with it is said where functions are checked
        return False


def _is_value(cls: type) -> bool:
    """Whether an instance is written as a plain value, not as a class with arguments."""
    return (
        cls.__module__.split(".")[0] in VALUE_MODULES
        or issubclass(cls, (enum.Enum, torch.Tensor))
        or dataclasses.is_dataclass(cls)
    )


def _load(path: str, name: str, bases: tuple[type, ...]) -> tuple[type, str]:
    """Import the class called ``name`` and return it with its class path."""
    kind = _kind(bases[0])
    if kind is not None:
        name = short_names.class_path(kind.name, path, name)
    entry = registry.find_class(name)
    if entry is not None:
        try:
            return registry.load_entry(entry), name
        except PluginError as error:
            raise PluginError(f"{path}: {error}") from error
    if "." not in name:
        known = dict(_named(bases))
        if name not in known:
            choices = [*known, *(registry.names(kind.name) if kind is not None else ())]
            by = "its name or " if choices else ""
            hint = nearest(name, choices) or f", by {by}its class path"
            raise InputError(f"{path}: got {name!r}; expected {_a(bases)}{hint}")
        return known[name], f"{known[name].__module__}.{known[name].__qualname__}"
    return _import(path, name), name


def _named(bases: tuple[type, ...]) -> Iterator[tuple[str, type]]:
    """Yield the classes that go by their names alone: those of stated modules, and no others."""
    homes = [home for base in bases for home in HOMES.get(base.__name__, (PUBLIC,))]
    for home in dict.fromkeys(homes):
        module = importlib.import_module(home)
        for name in getattr(module, "__all__", None) or list(vars(module)):
            found = getattr(module, name)
            if name[0] != "_" and isinstance(found, type) and issubclass(found, bases):
                yield name, found


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


def _kind(cls: type) -> registry.Kind | None:
    """Return the kind of component that a class is."""
    kinds = registry.KINDS.values()
    return next((kind for kind in kinds if issubclass(cls, kind.load_base())), None)


def _a(bases: tuple[type, ...]) -> str:
    names = " or ".join("function" if (b,) == FUNCTION else b.__name__ for b in bases)
    return f"{'an' if names[0] in 'AEIOU' else 'a'} {names}"


def _choices(bases: tuple[type, ...]) -> str:
    """Return what may be written where a class is expected."""
    kind = _kind(bases[0])
    registered = registry.names(kind.name) if kind is not None else []
    if not registered:
        return " (class_path and init_args)"
    return f" ({', '.join(registered)}, or a class path)"
