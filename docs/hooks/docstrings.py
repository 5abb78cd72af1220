"""Docstrings as the reference shows them: examples as code, names without Sphinx's roles."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")


class PlainDocstrings(griffe.Extension):
    """Griffe knows the section ``Examples`` alone, and no roles."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of each object before it is parsed."""
        if obj.docstring:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = ROLE.sub(r"`\1`", text)
