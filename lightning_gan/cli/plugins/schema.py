"""``lightning-gan plugins schema``: a JSON schema of the whole configuration, for editors.

It is made from what is installed: every registered component with its arguments. A component may
be written as its name, or as ``class_path`` with its arguments beside it or below ``init_args``; a
class that nobody registers, by its class path, may have any.
"""

from __future__ import annotations

import collections.abc
import enum
import inspect
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import torch
from pytorch_lightning import Callback, LightningDataModule, Trainer
from pytorch_lightning.loggers import Logger
from torch.optim import Optimizer, lr_scheduler

import lightning_gan.callbacks
import lightning_gan.data
from lightning_gan.cli.plugins.plugin_words import read_options
from lightning_gan.cli.settings import compose, short_names
from lightning_gan.components import registry
from lightning_gan.components.hints import members
from lightning_gan.components.locating import kind_of, load_class
from lightning_gan.components.taking import Argument, arguments_of
from lightning_gan.errors import InputError, PluginError
from lightning_gan.files.claims import write_new
from lightning_gan.training.module import GANModule
from lightning_gan.training.starting import Beginning

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# A value that is taken from somewhere else, or from a file of another folder.
REFERENCE: Schema = {"type": "string", "pattern": r"\$\{"}
PLAIN: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    Path: {"type": "string"},
    type(None): {"type": "null"},
}


def write_schema(words: Sequence[str]) -> int:
    """Write the schema to a new file, or print it, and return the exit code, 0.

    Raises:
        InputError: The words are not understood, or there is such a file.
    """
    names, given = read_options("schema", words, {"--out": "FILE"})
    if names:
        raise InputError("expected: lightning-gan plugins schema [--out FILE]")
    text = json.dumps(configuration_schema(), indent=1)
    if "--out" not in given:
        print(text)
        return 0
    path = Path(given["--out"])
    try:
        write_new(path, text + "\n")
    except FileExistsError as error:
        raise InputError(f"--out: {path} exists already; choose another name") from error
    except OSError as error:
        raise InputError(f"--out: {path} cannot be written: {error.strerror}") from error
    print(f"wrote {path}\nat the top of a YAML file: # yaml-language-server: $schema={path}")
    return 0


def configuration_schema() -> Schema:
    """Return the JSON schema of a configuration, as a run, a file or ``--print_config`` has it."""
    made = _Maker()
    properties = {
        "seed_everything": made.one_of({"type": ["integer", "boolean"]}),
        "threads": made.one_of({"type": ["integer", "null"]}),
        "ckpt_path": {"type": ["string", "null"]},
        "init_from": {
            "anyOf": [{"type": ["string", "null"]}, made.inline(arguments_of(Beginning))]
        },
        "model": made.model(),
        "data": made.data(),
        "trainer": made.inline(arguments_of(Trainer)),
        **{key: made.callback(path) for key, path in short_names.CALLBACKS.items()},
    }
    return {
        "$schema": DIALECT,
        "title": "A configuration of lightning-gan",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": made.definitions,
    }


class _Maker:
    """Makes schemas of classes and types, each class once.

    Attributes:
        definitions: Of kinds and classes, by name.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def one_of(self, *schemas: Schema) -> Schema:
        """Return what is one of several, or taken from somewhere else."""
        return {"anyOf": [*schemas, REFERENCE]}

    def inline(self, arguments: dict[str, Argument], **more: Schema) -> Schema:
        """Return an object of arguments, and of more keys."""
        properties = {name: self._argument(argument) for name, argument in arguments.items()}
        return {
            "type": "object",
            "properties": {**properties, **more},
            "additionalProperties": False,
        }

    def model(self) -> Schema:
        """Return the module, whose class may be left out, with the short forms of its parts."""
        arguments = arguments_of(GANModule)
        schema = self._with_class(GANModule, [short_names.MODULE, "GANModule"], arguments)
        return {"anyOf": [schema, _foreign([short_names.MODULE, "GANModule"])]}

    def data(self) -> Schema:
        """Return a data module of ours by any of its names, or anybody's by class path."""
        named = _named(lightning_gan.data, LightningDataModule)
        return self._reference("data", lambda: self._choice(named, 0, compose.choices("data")))

    def callback(self, path: str) -> Schema:
        """Return a callback with a key of its own: its arguments, or whether it is there."""
        cls = load_class(path)
        names = [path, cls.__name__, f"{cls.__module__}.{cls.__qualname__}"]
        schema = self._with_class(cls, names, arguments_of(cls))
        plain = {"enum": [None, True, False, "on", "off", "yes", "no", "full"]}
        return {"anyOf": [plain, schema, _foreign(names)]}

    def _argument(self, argument: Argument) -> Schema:
        schema = self.hint(argument.hint)
        if argument.doc:
            schema = {**schema, "description": argument.doc.replace("``", "`")}
        return schema

    def hint(self, hint: Any) -> Schema:
        """Return the schema of a type; what no schema can say takes anything."""
        found = [self._member(member) for member in members(hint)]
        if {} in found:
            return {}
        return self.one_of(*found)

    def _member(self, hint: Any) -> Schema:
        origin, inner = get_origin(hint), get_args(hint)
        if hint is None or hint in PLAIN:
            return PLAIN[type(None) if hint is None else hint]
        if origin is Literal:
            return {"enum": list(inner)}
        if origin is collections.abc.Callable:
            made = inner[1] if inner else None
            return self._kind(made, 1) if isinstance(made, type) else {}
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return {"enum": [value for each in hint for value in (each.name, each.value)]}
        if isinstance(origin, type) and issubclass(origin, collections.abc.Mapping) and inner:
            return self._mapping(inner[1])
        if origin is tuple and Ellipsis not in inner:
            return {"type": "array", "minItems": len(inner), "maxItems": len(inner)}
        if isinstance(origin, type) and issubclass(origin, collections.abc.Iterable) and inner:
            return {"type": "array", "items": self.hint(inner[0])}
        return self._kind(hint, 0) if isinstance(hint, type) else {}

    def _mapping(self, hint: Any) -> Schema:
        """Return names with values; of regularizers, a list of names is another way."""
        schema = {"type": "object", "additionalProperties": self.hint(hint)}
        kind = kind_of(hint) if isinstance(hint, type) else None
        if kind is None:
            return schema
        alone = {"type": "object", "not": {"required": ["class_path"]}}  # the key is its name
        item = {"anyOf": [self.hint(hint), alone]}
        names = {"type": "array", "items": {"type": "string"}}
        return {"anyOf": [{"type": "object", "additionalProperties": item}, names, PLAIN[str]]}

    def _kind(self, base: type, skip: int) -> Schema:
        """Return an object that derives from a base class."""
        kind = kind_of(base)
        if kind is not None:
            return self._reference(kind.name, lambda: self._choice(_registered(kind), skip, []))
        if issubclass(base, Callback):
            named = _named(lightning_gan.callbacks, Callback)
            return self._reference("callback", lambda: self._choice(named, 0, []))
        if issubclass(base, Logger):
            return {"type": ["object", "string", "boolean"]}
        return {}

    def _reference(self, name: str, make: Callable[[], Schema]) -> Schema:
        if name not in self.definitions:
            self.definitions[name] = {}  # a component may hold others of its kind
            self.definitions[name] = make()
        return {"$ref": f"#/$defs/{name}"}

    def _choice(self, classes: dict[type, list[str]], skip: int, more: list[str]) -> Schema:
        """Return one of several classes, with its arguments; or another one, by its class path."""
        known = [name for names in classes.values() for name in names]
        options = [
            self._with_class(cls, names, arguments_of(cls, skip), required=True)
            for cls, names in classes.items()
        ]
        text = {"type": "string", "examples": sorted({*known, *more})}
        return {"anyOf": [text, *options, _foreign(known)]}

    def _with_class(
        self,
        cls: type,
        names: list[str],
        arguments: dict[str, Argument],
        *,
        required: bool = False,
    ) -> Schema:
        """Return a class by one of its names, its arguments beside it or below init_args."""
        open_ = any(
            parameter.kind is parameter.VAR_KEYWORD
            for parameter in inspect.signature(cls).parameters.values()
        )
        own = self.inline(arguments)
        more = {"class_path": {"enum": names}, "init_args": own, "dict_kwargs": {"type": "object"}}
        schema = {**self.inline(arguments, **more), "title": cls.__name__}
        if open_:
            own["additionalProperties"] = schema["additionalProperties"] = True
        return {**schema, "required": ["class_path"]} if required else schema


def _foreign(known: list[str]) -> Schema:
    """Return a class that is none of the known ones, with any arguments."""
    path = {"type": "string", "not": {"enum": known}}
    return {
        "type": "object",
        "properties": {"class_path": path},
        "required": ["class_path"],
    }


def _registered(kind: registry.Kind) -> dict[type, list[str]]:
    """Return the classes of a kind that can be imported, each with its names."""
    found: dict[type, list[str]] = {}
    for entry in registry.entries(kind.name):
        try:
            cls = registry.load_entry(entry)
        except PluginError:
            continue
        names = [entry.name, f"{entry.distribution}:{entry.name}", entry.class_path]
        found.setdefault(cls, []).extend(names)
    if kind.name in ("optimizer", "lr_scheduler"):
        home = torch.optim if kind.name == "optimizer" else lr_scheduler
        base = Optimizer if kind.name == "optimizer" else lr_scheduler.LRScheduler
        found |= _named(home, base)
    elif kind.name in ("average", "schedule"):
        for cls, names in found.items():
            names.append(cls.__name__)
    return found


def _named(home: Any, base: type) -> dict[type, list[str]]:
    """Return the public classes of a module, each with its names."""
    found: dict[type, list[str]] = {}
    for name in getattr(home, "__all__", list(vars(home))):
        cls = getattr(home, name)
        if isinstance(cls, type) and issubclass(cls, base) and cls is not base and name[0] != "_":
            full = f"{cls.__module__}.{cls.__qualname__}"
            found[cls] = list(dict.fromkeys([name, f"{home.__name__}.{name}", full]))
    return found
