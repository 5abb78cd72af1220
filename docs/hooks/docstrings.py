"""Docstrings as the reference shows them: examples as code, formulas as MathML, no Sphinx roles.

Browsers show MathML by themselves: nothing is loaded, from nowhere.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

from lightning_gan.cli.plugins.formulas import mathml, rewritten

ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")


class PlainDocstrings(griffe.Extension):
    """Griffe knows the section ``Examples`` alone, and neither roles nor formulas."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of each object before it is parsed."""
        if obj.docstring:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            text = rewritten(text, inline_formula, display_formula)
            obj.docstring.value = ROLE.sub(r"`\1`", text)


def inline_formula(latex: str) -> str:
    """Return a formula in a line; the span keeps Markdown from taking it for a block."""
    return f'<span class="formula">{mathml(latex)}</span>'


def display_formula(latex: str) -> str:
    """Return a formula that stands by itself, between empty lines."""
    return f'\n<div class="formula">{mathml(latex, display=True)}</div>\n'
