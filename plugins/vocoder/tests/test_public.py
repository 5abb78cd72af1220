"""The package uses public names of lightning-gan alone, as anybody's package has to."""

import ast
import importlib
import re
from pathlib import Path

import lightning_gan_vocoder
import pytest

import lightning_gan

PACKAGE = Path(lightning_gan_vocoder.__file__).parent
REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
ALWAYS = ("lightning_gan", "lightning_gan.testing")


def imported(file):
    """Return (module, name) of all that a file takes from lightning-gan; name None: all of it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((each.name, None) for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((node.module, each.name) for each in node.names)


def documented():
    """Return what the pages of reference name: modules and objects, and modules with all inside."""
    names, whole = set(), set()
    for page in REFERENCE.glob("*.md"):
        for name, options in re.findall(r"^::: (\S+)\n((?: {4}.*\n)*)", page.read_text(), re.M):
            (whole if "show_submodules: true" in options else names).add(name)
    return names, whole


def is_public(module, name, names, whole):
    if module in ALWAYS and (name is None or name in lightning_gan.__all__ or module != ALWAYS[0]):
        return True
    if module in names or any(f"{module}.".startswith(f"{each}.") for each in whole):
        return True
    if name is None:
        return False
    found = getattr(importlib.import_module(module), name, None)
    home = getattr(found, "__module__", module)
    return home in names or f"{home}.{getattr(found, '__qualname__', name)}" in names


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the pages of lightning-gan are not here")
def test_only_public_names_are_imported():
    names, whole = documented()
    assert "lightning_gan.data.window.Window" in names
    assert "lightning_gan.regularizers" in whole
    assert not is_public("lightning_gan.files.whole", "unfinished", names, whole)
    assert not is_public("lightning_gan.data.pixels", "read_pixels", names, whole)
    assert not is_public("lightning_gan", "cli", names, whole)
    files = sorted(PACKAGE.rglob("*.py"))
    used = {
        (file.name, module, name)
        for file in files
        for module, name in imported(file)
        if module.split(".")[0] == "lightning_gan"
    }
    assert len(used) > 5
    assert [each for each in used if not is_public(*each[1:], names, whole)] == []
