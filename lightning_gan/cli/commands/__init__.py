"""A file for each command but fit, validate, test, predict and plugins: ``run`` and ``usage``."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def command_file(word: str) -> ModuleType:
    """Return the file of a command: ``run(request)`` gives its exit code, ``usage()`` its help."""
    return import_module(f"{__name__}.{word}")
