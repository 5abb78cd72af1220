"""These files know what a third party knows: no private name, nothing of the rooms inside."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FILES = sorted(Path(__file__).parent.glob("*.py"))
# Kinds of components by their names, and what users import besides.
PUBLIC = {
    "alternations",
    "averages",
    "balances",
    "callbacks",
    "data",
    "losses",
    "regularizers",
    "schedules",
    "testing",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_public_names_are_used(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            home, _, room = (node.module or "").partition(".")
            names = [alias.name for alias in node.names]
            assert not [n for n in names if n.startswith("_")], node.lineno
            if home == "lightning_gan" and room:
                assert room.split(".")[0] in PUBLIC, f"{path.name}:{node.lineno}"
        elif isinstance(node, ast.Import):
            assert all(not a.name.startswith("lightning_gan.") for a in node.names), node.lineno
        elif isinstance(node, ast.Attribute):
            private = node.attr.startswith("_") and not node.attr.endswith("__")
            assert not private, f"{path.name}:{node.lineno} {node.attr}"
