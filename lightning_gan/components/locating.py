"""Classes by what people write: a registered name, the name of a class, or a class path."""

from __future__ import annotations

import collections.abc
import importlib
from collections.abc import Iterator
from typing import Any, cast

from lightning_gan.components import registry
from lightning_gan.errors import InputError, PluginError, nearest

RESERVED = ("class_path", "dict_kwargs")  # dict_kwargs: jsonargparse's name for free **kwargs
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
BY_CLASS = ("average", "optimizer", "lr_scheduler", "schedule")  # kinds that go by both


def class_path(kind: str, where: str, name: str) -> str:
    """Return the class path of a registered name; a dotted path returns as it is.

    So does the name of a class where those are understood, as those of torch's optimizers.

    Raises:
        PluginError: The name is unknown or ambiguous.
    """
    entry = _entry(kind, where, name)
    return name if entry is None else entry.class_path


def find_subclass(path: str, name: str, bases: tuple[type, ...]) -> tuple[type, str]:
    """Return the class called ``name``, imported, with its class path.

    Args:
        path: Where it stands in the settings, for messages.
        name: A registered name, the name of a class, or a class path.
        bases: What it must be a subclass of.

    Raises:
        InputError: There is none, or it is no such subclass.
    """
    kind = kind_of(bases[0])
    written = name
    entry = None if kind is None else _entry(kind.name, path, name)
    found, full = _find(path, name, bases, kind, entry)
    if not issubclass(found, bases):
        kind = kind_of(found)
        what = f", {a(kind.load_base())}" if kind is not None else ""
        raise InputError(f"{path}: got {written}{what}; expected {choices_for(bases)}")
    return found, full


def load_class(class_path: str, where: str = "class_path") -> type:
    """Import the class at a class path.

    Raises:
        InputError: There is none.
    """
    module, _, attribute = class_path.rpartition(".")
    try:
        found = importlib.import_module(module)
    except Exception as error:
        raise InputError(f"{where}: got {class_path}; {type(error).__name__}: {error}") from error
    cls = getattr(found, attribute, None)
    if not isinstance(cls, type):
        classes = [key for key, value in vars(found).items() if isinstance(value, type)]
        raise InputError(
            f"{where}: got {class_path}; {module} has no class {attribute!r}"
            f"{nearest(attribute, classes)}"
        )
    return cls


def says_class(value: Any) -> bool:
    """Whether a value names a class with its arguments, or just a class, and no function."""
    if not isinstance(value, str):
        return isinstance(value, dict) and "class_path" in value
    module, _, attribute = value.rpartition(".")
    try:
        return isinstance(getattr(importlib.import_module(module), attribute), type)
    except Exception:  # whatever is wrong with it is said where functions are checked
        return False


def kind_of(cls: type) -> registry.Kind | None:
    """Return the kind of component that a class is."""
    kinds = registry.KINDS.values()
    return next((kind for kind in kinds if issubclass(cls, kind.load_base())), None)


def a(*bases: type) -> str:
    """Return classes as a sentence has them: "a Generator", "an Augment or Prior"."""
    names = " or ".join("function" if (b,) == FUNCTION else b.__name__ for b in bases)
    return f"{'an' if names[0] in 'AEIOU' else 'a'} {names}"


def choices_for(bases: tuple[type, ...]) -> str:
    """Return what may be written where a class is expected."""
    kind = kind_of(bases[0])
    registered = registry.names(kind.name) if kind is not None else []
    if not registered:
        return f"{a(*bases)} (class_path and init_args)"
    return f"{a(*bases)} ({', '.join(registered)}, or a class path)"


def _entry(kind: str, where: str, name: str) -> registry.Entry | None:
    """Return the entry of a registered name; None for a dotted path or the name of a class."""
    named = kind in BY_CLASS and name not in registry.names(kind)
    if ":" not in name and ("." in name or named):
        return None
    try:
        return registry.find_entry(kind, name)
    except PluginError as error:
        raise PluginError(f"{where}: {error}") from error


def _find(
    path: str,
    name: str,
    bases: tuple[type, ...],
    kind: registry.Kind | None,
    entry: registry.Entry | None,
) -> tuple[type, str]:
    """Return the class of an entry, or at a class path, or of a name; with its class path.

    What was typed decides what it is checked against: its own entry, or what is expected here.
    """
    kinds = [k.name for k in map(kind_of, bases) if k is not None]
    found = [entry] if entry else registry.find_classes(name, *kinds) if kinds else []
    if found:
        try:
            return registry.load_class_of(found), found[0].class_path
        except PluginError as error:
            raise PluginError(f"{path}: {error}") from error
    if "." in name:
        return load_class(name, path), name
    known = dict(_named(bases))
    if name not in known:
        choices = [*known, *(registry.names(kind.name) if kind is not None else ())]
        by = "its name or " if choices else ""
        hint = nearest(name, choices) or f", by {by}its class path"
        raise InputError(f"{path}: got {name!r}; expected {a(*bases)}{hint}")
    return known[name], f"{known[name].__module__}.{known[name].__qualname__}"


def _named(bases: tuple[type, ...]) -> Iterator[tuple[str, type]]:
    """Yield the classes that go by their names alone: those of stated modules, and no others."""
    homes = [home for base in bases for home in HOMES.get(base.__name__, (PUBLIC,))]
    for home in dict.fromkeys(homes):
        module = importlib.import_module(home)
        for name in getattr(module, "__all__", None) or list(vars(module)):
            found = getattr(module, name)
            if name[0] != "_" and isinstance(found, type) and issubclass(found, bases):
                yield name, found
