"""What is made from plugins/*/pyproject.toml is up to date."""

import json
import runpy
from pathlib import Path

import pytest

from lightning_gan.components import offered, registry

ROOT = Path(__file__).parents[1]
pytest.importorskip("tomllib")  # Python 3.11
TABLES = runpy.run_path(str(ROOT / "plugins" / "tables.py"))


def test_the_page_and_the_table_are_those_of_the_projects():
    message = "run python plugins/tables.py"
    assert TABLES["PAGE"].read_text() == TABLES["page"](), message
    assert TABLES["TABLE"].read_text() == TABLES["table"](), message
    offered.table.cache_clear()
    assert offered.table() == json.loads(TABLES["table"]())
    for home in offered.table():
        assert (ROOT / offered.installing(home).split()[3] / "pyproject.toml").exists()


def test_every_plugin_is_listed_with_kinds_that_there_are():
    names = {project["name"] for project in TABLES["projects"]()}
    assert len(names) == len(list((ROOT / "plugins").glob("*/pyproject.toml")))
    assert "minimal-loss" in names
    folders = {kind.folder for kind in registry.KINDS.values()}
    for project in TABLES["projects"]():
        assert TABLES["components"](project).keys() <= folders
        assert f"| `{project['name']}` |" in TABLES["page"]()


def test_a_project_becomes_rows(monkeypatch):
    points = {
        "lightning_gan.losses": {"steep": "x:Y", "flat": "x:Z"},
        "lightning_gan.configs": {"x": "x.configs"},
        "lightning_gan.api": {"1": "x"},
        "console_scripts": {"x": "x:main"},
    }
    project = {"name": "lightning-gan-x", "description": "Slopes.", "entry-points": points}
    project["files"] = {"experiment": ["steep_digits"]}
    assert TABLES["components"](project) == {"losses": ["flat", "steep"]}
    globals_ = TABLES["page"].__globals__
    monkeypatch.setitem(globals_, "projects", lambda: [project])
    row = "| `lightning-gan-x` | Slopes. | losses: `flat`, `steep` | experiment: `steep_digits` |"
    assert TABLES["page"]().splitlines()[-1] == row
    assert json.loads(TABLES["table"]()) == {
        "lightning-gan-x": {"losses": ["flat", "steep"], "experiment": ["steep_digits"]}
    }


def test_yaml_files_by_group(tmp_path):
    for path in ("x/configs/experiment/a.yaml", "build/configs/experiment/b.yaml", "x/c.yaml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert TABLES["configurations"](tmp_path) == {"experiment": ["a"]}
