"""Modules whose components are registered without being installed, while they are written.

``LIGHTNING_GAN_PLUGINS=my_gan.parts`` registers every public class of the module, or of a package
and its ``__init__.py``, by its name in lower case with underscores, without the word of its kind:
``SquaredHingeLoss`` is the loss ``squared_hinge``.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import sys

from lightning_gan.components.installed import words_of

VARIABLE = "LIGHTNING_GAN_PLUGINS"
VERSION = "0.dev0"


def modules() -> list[str]:
    """Return the names of the modules that the environment names."""
    return words_of(VARIABLE)


@functools.cache
def public_classes(module: str) -> tuple[type, ...]:
    """Import a module and return the public classes that it or its package defines.

    Raises:
        Exception: Whatever the import raises.
    """
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    found = vars(importlib.import_module(module))
    return tuple(
        value
        for name, value in found.items()
        if isinstance(value, type)
        and name[0] != "_"
        and f"{value.__module__}.".startswith(f"{module}.")
    )


def import_failure(module: str) -> str | None:
    """Return why a module cannot be imported, or None."""
    try:
        public_classes(module)
    except Exception as error:
        return f"broken: failed to import: {type(error).__name__}: {error}"
    return None


def short_name(cls: str, base: str) -> str:
    """Return what a class is registered as.

    Args:
        cls: Its name.
        base: Name of the base class of its kind.

    Example:
        >>> short_name("SquaredHingeLoss", "AdversarialLoss")
        'squared_hinge'
        >>> short_name("Loss", "AdversarialLoss")
        'loss'
    """
    for ending in (base, re.findall("[A-Z][a-z]+", base)[-1]):
        if cls.endswith(ending) and cls != ending:
            cls = cls.removesuffix(ending)
            break
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls).lower()
