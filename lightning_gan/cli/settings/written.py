"""Resolved settings as text: the whole configuration, which ``--config`` takes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from pytorch_lightning import Trainer

from lightning_gan import __version__
from lightning_gan.cli.settings.options import Loader
from lightning_gan.cli.settings.resolve import FROM_DATA, PLAYERS
from lightning_gan.cli.settings.short_names import CALLBACKS
from lightning_gan.components.full import arguments_in_full, in_full


class Dumper(yaml.SafeDumper):
    """Quotes every text that the reader would take for a number, such as a folder called 1e5."""


Dumper.yaml_implicit_resolvers = Loader.yaml_implicit_resolvers


def configuration_text(settings: Mapping[str, Any]) -> str:
    """Return settings with every default as YAML.

    What the data tell the networks is not among them, so that the file also fits other data.
    """
    content = {key: in_full(value) for key, value in settings.items()}
    content["trainer"] = arguments_in_full(Trainer, settings["trainer"])
    for player in PLAYERS:
        for name in FROM_DATA:
            if name not in settings["model"]["init_args"][player]["init_args"]:
                content["model"]["init_args"][player].get("init_args", {}).pop(name, None)
    # Said also where it is null: without these keys, the file would mean the defaults.
    content.update({key: content.get(key) for key in CALLBACKS}, ckpt_path=None)
    content["init_from"] = content.pop("init_from", None)
    header = f"# lightning-gan {__version__}: lightning-gan fit --config <this file>\n"
    return header + yaml.dump(content, Dumper=Dumper, sort_keys=False)
