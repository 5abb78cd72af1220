"""The plugins take public names of lightning-gan alone, as anybody's package has to."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))
BESIDE = {"build", "tests", "benchmark"}  # folders that are not installed


def documented():
    """What the pages of reference name: modules and objects, and packages with all inside."""
    names, whole = set(), set()
    for page in (ROOT / "docs" / "reference").glob("*.md"):
        for name, options in re.findall(r"^::: (\S+)\n((?: {4}.*\n)*)", page.read_text(), re.M):
            (whole if "show_submodules: true" in options else names).add(name)
    return names, whole


NAMES, WHOLE = documented()


def imported(file):
    """(module, name) of all that a file takes from lightning-gan; name None: the module."""
    for node in ast.walk(ast.parse(file.read_text())):
        taken = []
        if isinstance(node, ast.Import):
            taken = [(each.name, None) for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            taken = [(node.module, each.name) for each in node.names]
        yield from (each for each in taken if each[0].split(".")[0] == "lightning_gan")


def is_public(module, name):
    """Whether the package offers a name, or a page of reference shows it or its module."""
    if module in ("lightning_gan", "lightning_gan.testing"):
        return name is None or name in importlib.import_module(module).__all__
    if module in NAMES or any(f"{module}.".startswith(f"{each}.") for each in WHOLE):
        return True
    found = getattr(importlib.import_module(module), name or "", None)
    home = getattr(found, "__module__", module)
    return home in NAMES or f"{home}.{getattr(found, '__qualname__', name)}" in NAMES


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_takes_public_names_alone(plugin):
    files = [each for each in plugin.rglob("*.py") if not BESIDE & {*each.parts}]
    used = {(each.name, *taken) for each in files for taken in imported(each)}
    assert used or plugin.name == "r3gan"  # which has YAML alone
    assert [each for each in sorted(used) if not is_public(*each[1:])] == []


def test_what_is_public():
    assert is_public("lightning_gan", "GANModule")
    assert is_public("lightning_gan.data", "ImageFolder")
    assert is_public("lightning_gan.regularizers.l1", "L1Regularizer")
    for private in (
        ("lightning_gan", "cli"),
        ("lightning_gan.callbacks", "Head"),
        ("lightning_gan.data.pixels", "read_pixels"),
        ("lightning_gan.data.window", "check_floats"),
        ("lightning_gan.export.load", "locate"),
        ("lightning_gan.files.whole", None),
        ("lightning_gan.files.claims", "new_folder"),
    ):
        assert not is_public(*private), private
