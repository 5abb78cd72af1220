"""Which distribution has a name that is not installed; read from ``distributions.json``.

That file is made from ``plugins/*/pyproject.toml`` by ``python plugins/tables.py``.
"""

from __future__ import annotations

import functools
import json
from importlib.resources import files


@functools.cache
def table() -> dict[str, dict[str, list[str]]]:
    """Return the names of each known distribution, by the folder of their kind."""
    text = files("lightning_gan.components").joinpath("distributions.json").read_text("utf-8")
    found: dict[str, dict[str, list[str]]] = json.loads(text)
    return found


def home_of(folder: str, name: str) -> str | None:
    """Return the known distribution that registers a name.

    Args:
        folder: Of its kind, for example ``losses``.
        name: The name.
    """
    found = (home for home, names in table().items() if name in names.get(folder, ()))
    return next(found, None)
