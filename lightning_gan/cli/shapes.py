"""Sample shape and number of classes: the data have them, the networks need them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonargparse import ArgumentParser
from pytorch_lightning import LightningDataModule, seed_everything

from lightning_gan.cli import accepted
from lightning_gan.cli.building import Building, short
from lightning_gan.cli.resolve import FROM_DATA, load_class
from lightning_gan.errors import InputError

PLAYERS = ("generator", "discriminator")


def fill(settings: dict[str, Any], building: Building) -> LightningDataModule | None:
    """Give the networks what the data know and the user did not say, in place.

    Args:
        settings: Resolved settings; ``init_args`` of the networks are filled.
        building: Watches the construction of the data module.

    Returns:
        The data module, if it had to be built for this.

    Raises:
        InputError: The data module does not tell what a network needs, or refuses its arguments.
    """
    missing = list(wanting(settings))
    if not missing:
        return None
    seed = settings["seed_everything"]
    if seed is not False:  # a data module may split at random in its constructor
        seed_everything(None if seed is True else seed, workers=True, verbose=False)
    data = build_data(settings["data"], building)
    for path, init_args, argument in missing:
        if hasattr(data, argument.name):
            value = getattr(data, argument.name)
            init_args[argument.name] = list(value) if isinstance(value, tuple) else value
        elif argument.required:
            example = "[1,28,28]" if argument.name == "sample_shape" else "10"
            raise InputError(
                f"{path}.{argument.name} is missing, and {type(data).__name__} does not tell it; "
                f"set {path}.{argument.name}={example}, for example"
            )
    return data


def pretend(settings: dict[str, Any]) -> None:
    """Give the networks a shape in place, so that the settings can be parsed without data."""
    for _, init_args, argument in wanting(settings):
        init_args[argument.name] = [1, 1, 1] if argument.name == "sample_shape" else None


def wanting(settings: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], accepted.Argument]]:
    """Yield the key of each network, its ``init_args`` and an argument that the data decide."""
    for player in PLAYERS:
        node = settings["model"]["init_args"][player]
        known = accepted.arguments(load_class(node["class_path"]))
        for name in FROM_DATA:
            if name in known and name not in node["init_args"]:
                yield f"model.{player}", node["init_args"], known[name]


def build_data(node: dict[str, Any], building: Building) -> LightningDataModule:
    """Build the data module that a resolved node describes.

    Raises:
        InputError: It refuses its arguments.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LightningDataModule, "data", fail_untyped=False)
    building.watch(parser, "data", LightningDataModule)
    try:
        config = parser.parse_object({"data": node})
    except Exception as error:
        raise InputError(f"data: {short(error)}") from error
    with building.explained():
        data: LightningDataModule = parser.instantiate_classes(config).data
    return data
