"""Resolved settings as text: the whole configuration, which ``--config`` takes back."""

from __future__ import annotations

import copy
import dataclasses
import enum
import os
from collections.abc import Mapping
from typing import Any

import yaml
from pytorch_lightning import Trainer

from lightning_gan import __version__
from lightning_gan.cli import accepted
from lightning_gan.cli.resolve import FROM_DATA, PLAYERS, Node, load_class
from lightning_gan.cli.short_names import CALLBACKS

NOT_PLAIN = object()


def configuration_text(settings: Mapping[str, Any]) -> str:
    """Return settings with every default as YAML.

    What the data tell the networks is not among them, so that the file also fits other data.
    """
    content = {key: _whole(value) for key, value in settings.items()}
    content["trainer"] = _with_defaults(Trainer, 0, settings["trainer"])
    for player in PLAYERS:
        for name in FROM_DATA:
            if name not in settings["model"]["init_args"][player]["init_args"]:
                content["model"]["init_args"][player].get("init_args", {}).pop(name, None)
    # Said also where it is null: without these keys, the file would mean the defaults.
    content.update({key: content.get(key) for key in CALLBACKS}, ckpt_path=None)
    header = f"# lightning-gan {__version__}: lightning-gan fit --config <this file>\n"
    return header + yaml.safe_dump(content, sort_keys=False)


def _whole(value: Any) -> Any:
    """Return a value in which every class has all its arguments."""
    if isinstance(value, Node):
        cls = load_class(value["class_path"])
        inner = _with_defaults(cls, value.skip or 0, value["init_args"])
        others = {k: v for k, v in value.items() if k not in ("class_path", "init_args")}
        named = {"init_args": inner} if inner else {}
        return {"class_path": value["class_path"], **named, **others}
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else copy.copy(value)


def _with_defaults(cls: type, skip: int, given: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, argument in accepted.arguments(cls, skip).items():
        value = _whole(given[name]) if name in given else _plain(argument.default)
        if value is not NOT_PLAIN:
            found[name] = value
    return found


def _plain(value: Any) -> Any:
    """Return a default as YAML says it, or NOT_PLAIN where it cannot."""
    if isinstance(value, enum.Enum):
        return value.name
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return NOT_PLAIN if NOT_PLAIN in items else items
    if isinstance(value, Mapping):
        pairs = {key: _plain(item) for key, item in value.items()}
        return NOT_PLAIN if NOT_PLAIN in pairs.values() else pairs
    return NOT_PLAIN
