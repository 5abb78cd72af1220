"""Resolved settings made into objects: data, module, callbacks and Trainer."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback, LightningDataModule, seed_everything
from pytorch_lightning.loggers import Logger

from lightning_gan.cli import accepted
from lightning_gan.cli.resolve import FROM_DATA, PLAYERS, Node, Nodes, load_class
from lightning_gan.cli.words import in_settings, short
from lightning_gan.errors import InputError

# What is wrong input in whatever constructor it is raised; other errors are somebody's mistakes.
WRONG_INPUT = (InputError, MisconfigurationException, ModuleNotFoundError)
STRICT = (Callback, Logger)  # in their constructors every error is


def build_node(key: str, node: Node) -> Any:
    """Build the object that a node describes, those that it is built from first.

    Args:
        key: Where it stands in the settings, for messages.
        node: Its class and arguments, checked.

    Returns:
        The object; of what is made later a partial that makes it.

    Raises:
        InputError: A constructor refuses its arguments.
    """
    cls, skip = load_class(node["class_path"]), node.skip or 0
    built = built_arguments(key, cls, node["init_args"], skip)
    built.update(node.get("dict_kwargs", {}))
    if node.skip is not None:
        return functools.partial(cls, **built)
    try:
        return cls(**built)
    except Exception as error:
        if not issubclass(cls, STRICT) and not isinstance(error, WRONG_INPUT):
            raise
        raise InputError(in_settings(short(error), key, cls)) from error


def built_arguments(key: str, cls: type, given: Mapping[str, Any], skip: int = 0) -> dict[str, Any]:
    """Return the arguments of a class as objects."""
    return {
        name: _built(f"{key}.{name}", value)
        if _holds_nodes(value)
        else accepted.built(cls, skip, name, value)
        for name, value in given.items()
    }


def seed(chosen: Any, *, verbose: bool = True) -> Any:
    """Seed every source of randomness as ``seed_everything`` of the settings says.

    Returns:
        The seed; False where there is none.
    """
    if chosen is False:
        return False
    return seed_everything(None if chosen is True else chosen, workers=True, verbose=verbose)


def build_data(settings: Mapping[str, Any]) -> LightningDataModule:
    """Build the data module, which may split at random in its constructor.

    Raises:
        InputError: It refuses its arguments.
    """
    seed(settings["seed_everything"], verbose=False)
    data: LightningDataModule = build_node("data", settings["data"])
    return data


def fitted(model: Node, data: LightningDataModule) -> Node:
    """Return the module's node, the networks with what the data know and the user did not say.

    That is ``sample_shape`` and ``num_classes``, where the data module tells them.

    Raises:
        InputError: The data module does not tell what a network needs.
    """
    given = dict(model["init_args"])
    for player in PLAYERS:
        node, known = given[player], accepted.arguments(load_class(given[player]["class_path"]))
        told = {}
        for name in FROM_DATA:
            if name not in known or name in node["init_args"]:
                continue
            if hasattr(data, name):
                value = getattr(data, name)
                told[name] = list(value) if isinstance(value, tuple) else value
            elif known[name].required:
                example = "[1,28,28]" if name == "sample_shape" else "10"
                raise InputError(
                    f"model.{player}.{name} is missing, and {type(data).__name__} does not tell "
                    f"it; set model.{player}.{name}={example}, for example"
                )
        given[player] = Node({**node, "init_args": {**node["init_args"], **told}}, node.skip)
    return Node({**model, "init_args": given}, model.skip)


def _built(key: str, value: Any) -> Any:
    if isinstance(value, Node):
        return build_node(key, value)
    if isinstance(value, dict):
        return {name: _built(f"{key}.{name}", item) for name, item in value.items()}
    items = [_built(f"{key}.{index}", item) for index, item in enumerate(value)]
    return value.kind(items) if isinstance(value, Nodes) else items


def _holds_nodes(value: Any) -> bool:
    if isinstance(value, Node):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return isinstance(value, (dict, list)) and any(map(_holds_nodes, inner))
