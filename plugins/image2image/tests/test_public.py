"""The plugin stands on what lightning-gan documents, and on nothing else of it."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import lightning_gan

PLUGIN = Path(__file__).parents[1]
REFERENCE = PLUGIN.parents[1] / "docs" / "reference"
FILES = sorted((PLUGIN / "image2image").rglob("*.py"))
DOCUMENTED = {
    name
    for page in REFERENCE.glob("*.md")
    for name in re.findall(r"^::: (lightning_gan[\w.]*)$", page.read_text(), re.MULTILINE)
}


def imported(path):
    """Every name of lightning_gan that a file imports, with its module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)


def is_public(module, name):
    """Whether a name is offered by the package, or by a module that a reference page documents."""
    if module in ("lightning_gan", "lightning_gan.testing"):
        return name in importlib.import_module(module).__all__
    path = f"{module}.{name}"
    if any(path == known or path.startswith(f"{known}.") for known in DOCUMENTED):
        return True  # a class, a function, or what is in a documented module or package
    offered = getattr(importlib.import_module(module), "__all__", ())
    ends = {known.rpartition(".")[2] for known in DOCUMENTED if known.startswith(f"{module}.")}
    inside = any(hasattr(importlib.import_module(known), name) for known in modules_below(module))
    return name in offered and (name in ends or inside)


def modules_below(package):
    """Documented modules of a package."""
    for known in DOCUMENTED:
        if known.startswith(f"{package}."):
            try:
                importlib.import_module(known)
            except ModuleNotFoundError:
                continue
            yield known


@pytest.mark.skipif(not DOCUMENTED, reason="the pages of the reference are not here")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_imports_are_public(path):
    for module, name in imported(path):
        if module.split(".")[0] == "lightning_gan":
            assert is_public(module, name), f"{path.name} imports {module}.{name}"


@pytest.mark.skipif(not DOCUMENTED, reason="the pages of the reference are not here")
def test_what_is_private_is_told():
    assert not is_public("lightning_gan.data.window", "check_floats")
    assert not is_public("lightning_gan.export.load", "locate")
    assert not is_public("lightning_gan.files.claims", "new_folder")
    assert is_public("lightning_gan.data", "ImageFolder")
    assert is_public("lightning_gan.data", "ResumableLoader")
    assert is_public("lightning_gan", "GANModule")
    assert lightning_gan.__version__
