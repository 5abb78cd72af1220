"""A private name of jsonargparse; ``tests/components/test_signature_seams.py`` says when it may go.

It follows ``**kwargs`` through the source to where they arrive, resolves postponed types and reads
docstrings, which no public function of it does.
"""

from __future__ import annotations

from inspect import Parameter
from typing import Any

from jsonargparse._parameter_resolvers import get_signature_parameters


def parameters_of(cls: type) -> list[Any]:
    """Return the parameters of a constructor: ``name``, ``annotation``, ``default`` and ``doc``."""
    return [
        each
        for each in get_signature_parameters(cls, None)
        if each.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    ]
