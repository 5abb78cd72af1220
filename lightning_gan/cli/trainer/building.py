"""Resolved settings made into objects: data, module, callbacks and Trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback, LightningDataModule, seed_everything
from pytorch_lightning.loggers import Logger

from lightning_gan.cli.settings.resolve import FROM_DATA, PLAYERS
from lightning_gan.cli.settings.words import in_settings, short
from lightning_gan.cli.watching import shown
from lightning_gan.components.locating import load_class
from lightning_gan.components.nodes import Node, build_node
from lightning_gan.components.taking import arguments_of
from lightning_gan.errors import InputError

# What is wrong input in whatever constructor it is raised; other errors are somebody's mistakes.
WRONG_INPUT = (InputError, MisconfigurationException, ModuleNotFoundError)
STRICT = (Callback, Logger)  # in their constructors every error is


def in_words(error: Exception, key: str, cls: type) -> Exception:
    """Return what a constructor raised as a sentence about settings, if it is wrong input."""
    if not issubclass(cls, STRICT) and not isinstance(error, WRONG_INPUT):
        return error
    return InputError(in_settings(short(error), key, cls))


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
    with shown():
        data: LightningDataModule = build_node("data", settings["data"], in_words)
    return data


def fitted(model: Node, data: LightningDataModule) -> Node:
    """Return the module's node, the networks with what the data know and the user did not say.

    That is ``sample_shape``, ``num_classes`` and ``condition_channels``, the channels of an image
    that is the condition, where the data module tells them; and of its ``network_arguments`` those
    that are None by default and have no other value.

    Raises:
        InputError: The data module does not tell what a network needs.
    """
    given = dict(model["init_args"])
    others = dict(getattr(data, "network_arguments", {}))
    for player in PLAYERS:
        node, known = given[player], arguments_of(load_class(given[player]["class_path"]))
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
        for name in others.keys() & known.keys():  # a saved configuration says null
            if known[name].default is None and node["init_args"].get(name) is None:
                told[name] = others[name]
        given[player] = Node({**node, "init_args": {**node["init_args"], **told}}, node.skip)
    return Node({**model, "init_args": given}, model.skip)
