"""Errors that a person can act on: what was expected, what came, where, what to type instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Wrong input, said in one sentence; the command prints it without a traceback."""


class StateError(InputError):
    """A saved state of other parts than those that are there."""


class PluginError(InputError):
    """A plugin that cannot be found, loaded or trusted; names its distribution and entry point."""


class NotFiniteError(ArithmeticError):
    """Training gave nothing but NaN and infinite values for too long, and ended."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the choice closest to ``name``, or an empty string.

    Example:
        >>> nearest("dcgam", ["mlp", "dcgan"])
        ", did you mean 'dcgan'?"
    """
    found = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.5)
    return f", did you mean {found[0]!r}?" if found else ""
