"""config.yaml: the whole configuration of a run, and what its header says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lightning_gan.report.files import read_text

PARTS = ("generator", "discriminator", "loss", "alternation", "augment", "prior")


@dataclass(frozen=True)
class Settings:
    """A configuration, as far as it could be read.

    Attributes:
        values: The nested settings; empty if there are none.
        version: The version of lightning-gan that wrote them.
        text: The file as it is.
        note: What is missing.
    """

    values: dict[str, Any] = field(default_factory=dict)
    version: str | None = None
    text: str = ""
    note: str | None = None

    @property
    def experiment(self) -> str | None:
        """The name of the folder that the run's experiment writes to."""
        root = self.at("trainer", "default_root_dir")
        return Path(root).name or None if isinstance(root, str) else None

    @property
    def max_steps(self) -> int | None:
        """At which step training was to end."""
        steps = self.at("trainer", "max_steps")
        return steps if isinstance(steps, int) and steps > 0 else None

    @property
    def parts(self) -> list[tuple[str, str]]:
        """The class of each component by its kind, and of the data."""
        named = [(part, self.at("model", "init_args", part)) for part in PARTS]
        terms = self.at("model", "init_args", "regularizers")
        if isinstance(terms, dict):
            named[3:3] = [("regularizer", term) for term in terms.values()]
        named.append(("data", self.at("data")))
        return [(part, _class(value)) for part, value in named if _class(value)]

    def at(self, *keys: str) -> Any:
        """Return the value at a path of keys, or None."""
        value: Any = self.values
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value


def read_settings(path: Path) -> Settings:
    """Read a configuration; one that cannot be read is shown as it is."""
    text = read_text(path)
    if not text:
        return Settings(note="There is no config.yaml.")
    header = re.match(r"# lightning-gan (\S{1,40}?):? ", text)
    version = header[1] if header else None
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        values = None
    if isinstance(values, dict):
        return Settings(values, version, text)
    return Settings({}, version, text, "config.yaml is damaged; this is what it says.")


def _class(value: Any) -> str:
    path = value.get("class_path") if isinstance(value, dict) else value
    return path.rpartition(".")[2] if isinstance(path, str) else ""
