"""Writes what is made from plugins/*/pyproject.toml: ``python plugins/tables.py`` (Python 3.11).

That is docs/reference/distributions.md, and lightning_gan/components/distributions.json: which
distribution to install for a name that is not there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tomllib

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "distributions.md"
TABLE = ROOT / "lightning_gan" / "components" / "distributions.json"
PREFIX = "lightning_gan."
APART = ("configs", "cases", "api")  # groups that hold no components
OFFICIAL = "lightning-gan-"  # names of which are looked up where one is unknown
HEAD = """\
# Distributions

What is installed beside lightning-gan, each with components and tests of its own. `pip install
NAME` adds one, `lightning-gan plugins check NAME` looks at it, and `LIGHTNING_GAN_DISABLE=NAME`
switches it off. This page is written by `python plugins/tables.py`.

| distribution | what | components | configurations |
| --- | --- | --- | --- |
"""


def projects() -> list[dict[str, Any]]:
    """Return what the pyproject.toml of each plugin says, sorted by names."""
    found = []
    for path in (ROOT / "plugins").glob("*/pyproject.toml"):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        found.append({**project, "files": configurations(path.parent)})
    return sorted(found, key=lambda project: str(project["name"]))


def configurations(folder: Path) -> dict[str, list[str]]:
    """Return the names of a plugin's YAML files, by the folder of their group."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*/configs/*/*.yaml")):
        if path.relative_to(folder).parts[0] != "build":
            found.setdefault(path.parent.name, []).append(path.stem)
    return found


def components(project: dict[str, Any]) -> dict[str, list[str]]:
    """Return the names that a project registers, by the folder of their kind."""
    groups = {
        group.removeprefix(PREFIX): sorted(names)
        for group, names in project.get("entry-points", {}).items()
        if group.startswith(PREFIX)
    }
    return {folder: groups[folder] for folder in sorted(groups) if folder not in APART}


def table() -> str:
    """Return the text of distributions.json."""
    official = [project for project in projects() if project["name"].startswith(OFFICIAL)]
    found = {each["name"]: {**components(each), **each["files"]} for each in official}
    return json.dumps(found, indent=2) + "\n"


def listed(names: dict[str, list[str]]) -> str:
    """Return names by their kinds, for a cell."""
    found = (f"{kind}: {', '.join(f'`{name}`' for name in names[kind])}" for kind in names)
    return "; ".join(found) or "none"


def page() -> str:
    """Return the text of the page."""
    rows = []
    for project in projects():
        cells = [listed(components(project)), listed(project["files"])]
        rows.append(f"| `{project['name']}` | {project['description']} | {' | '.join(cells)} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    TABLE.write_text(table(), encoding="utf-8")
