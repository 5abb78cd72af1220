"""The plugin stands on what lightning-gan documents, and on nothing else of it."""

import ast
import importlib
import re
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[1]
REFERENCE = PLUGIN.parents[1] / "docs" / "reference"
FILES = sorted((PLUGIN / "lightning_gan_tokenizer").rglob("*.py"))
CALLBACKS = re.findall(
    r"^::: lightning_gan\.callbacks\.[\w.]*\.(\w+)$",
    (REFERENCE / "callbacks.md").read_text() if REFERENCE.is_dir() else "",
    re.MULTILINE,
)


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)


def is_public(module, name):
    if module in ("lightning_gan", "lightning_gan.testing"):
        return name in importlib.import_module(module).__all__
    return module == "lightning_gan.callbacks" and name in CALLBACKS


@pytest.mark.skipif(not CALLBACKS, reason="the pages of the reference are not here")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_imports_are_public(path):
    for module, name in imports(path):
        if module.split(".")[0] == "lightning_gan":
            assert is_public(module, name), f"{path.name} imports {module}.{name}"


@pytest.mark.skipif(not CALLBACKS, reason="the pages of the reference are not here")
def test_what_is_private_is_told():
    assert is_public("lightning_gan.callbacks", "PairedMetrics")
    assert not is_public("lightning_gan.callbacks", "Head")
    assert not is_public("lightning_gan.game.ranks", "world")
