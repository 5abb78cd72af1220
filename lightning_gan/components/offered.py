"""Which distribution has a name that is not installed; read from ``distributions.json``.

That file is made from ``plugins/*/pyproject.toml`` by ``python plugins/tables.py``.
"""

from __future__ import annotations

import functools
import json
from importlib.resources import files

from lightning_gan.components import installed


@functools.cache
def table() -> dict[str, dict[str, list[str]]]:
    """Return the names of each known distribution, by the folder of their kind or group."""
    text = files("lightning_gan.components").joinpath("distributions.json").read_text("utf-8")
    found: dict[str, dict[str, list[str]]] = json.loads(text)
    return found


def how_to_get(folder: str, name: str) -> str:
    """Return which known distribution has a name, and how to install it, or "".

    Args:
        folder: Of its kind or group, for example ``losses`` or ``experiment``.
        name: The name.
    """
    for home, names in table().items():
        if name in names.get(folder, ()) and home not in installed.distributions():
            return f": {home} has it, {installing(home)}."
    return ""


def installing(home: str) -> str:
    """Return how to install a known distribution: it lies in the repository, beside the package."""
    folder = home.removeprefix("lightning-gan-")
    return f"pip install -e plugins/{folder} in a clone of the repository"
