"""A third party's package: of lightning-gan it knows what its documentation offers."""

import ast
from pathlib import Path

import pytest

import lightning_gan

# The package itself, by the names that it lists, and the checks of components.
WHOLE = "lightning_gan.testing"
ROOT = Path(__file__).parents[1]
FILES = sorted(ROOT.rglob("*.py"))


def imported(path):
    """Yield modules with the name that is taken from each; None for a whole module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((node.module, each.name) for each in node.names)
        elif isinstance(node, ast.Import):
            yield from ((each.name, None) for each in node.names)


def private(path):
    """Return what a file imports of lightning-gan that nobody has promised."""
    found = []
    for module, name in imported(path):
        if module.partition(".")[0] != "lightning_gan" or module == WHOLE:
            continue
        if module != "lightning_gan" or name not in {*lightning_gan.__all__, None}:
            found.append((module, name))
    return found


def test_all_files_are_looked_at():
    assert {"networks.py", "terms.py", "data.py", "test_imports.py"} <= {p.name for p in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_nothing_private_is_imported(path):
    assert private(path) == []


def test_private_imports_are_found(tmp_path):
    path = tmp_path / "guilty.py"
    path.write_text(
        "from lightning_gan import Generator, _HOMES\nimport lightning_gan.game.gan\n"
        "from lightning_gan.files import claims\n"
        "from lightning_gan.testing import check_component\n"
    )
    assert private(path) == [
        ("lightning_gan", "_HOMES"),
        ("lightning_gan.game.gan", None),
        ("lightning_gan.files", "claims"),
    ]
