"""Formulas of docstrings, LaTeX, as text for a terminal and as MathML for the reference.

A subset: letters, Greek, sums, fractions, roots, accents, indices, powers. What is not known stays
as its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape

INLINE = re.compile(r":math:`([^`]*)`")
# On its line and those below that are further in, or on those alone, after an empty line or none.
DISPLAY = re.compile(r"^( *)\.\. math::((?: *\n *(?=\n\1 +\S)|.*)(?:\n\1 +\S.*)*)", re.M)


def _signs(names: str, signs: str) -> dict[str, str]:
    return dict(zip(names.split(), signs.split(), strict=True))


LETTERS = _signs(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta kappa lambda mu nu xi pi rho sigma "
    "tau phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell infty",
    "α β γ δ ϵ ε ζ η θ κ λ μ ν ξ π ρ σ τ φ φ χ ψ ω Γ Δ Θ Λ Ξ Π Σ Φ Ψ Ω ℓ ∞",
)
SIGNS = _signs(
    "cdot times pm leq le geq ge neq ne approx sim propto in sum prod int to mapsto odot oplus circ"
    " leftarrow rightarrow mid lVert rVert Vert | lvert rvert langle rangle lfloor rfloor lceil "
    "rceil ldots dots cdots top ast star equiv cup cap ll gg nabla partial { } _ % # & Vert",
    "· × ± ≤ ≤ ≥ ≥ ≠ ≠ ≈ ∼ ∝ ∈ ∑ ∏ ∫ → ↦ ⊙ ⊕ ∘ ← → | ‖ ‖ ‖ ‖ | | ⟨ ⟩ ⌊ ⌋ ⌈ ⌉ … … ⋯ ⊤ ∗ ⋆ ≡ ∪ ∩ ≪ ≫ "
    "∇ ∂ { } _ % # & ‖",
)
SPACES = {",": " ", ";": " ", ":": " ", " ": " ", "quad": "  ", "qquad": "  ", "\\": "  ", "!": ""}
ACCENTS = {
    **{"hat": ("\u0302", "^"), "bar": ("\u0304", "¯"), "tilde": ("\u0303", "~")},
    **{"vec": ("\u20d7", "→"), "dot": ("\u0307", "˙"), "overline": ("\u0304", "¯")},
}
WORDS = ("text", "mathrm", "operatorname", "mathsf")
IGNORED = {"left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "textstyle", "limits"}
IGNORED |= {"mathcal", "mathbf", "mathbb", "boldsymbol", "displaystyle", "middle"}
FUNCTIONS = {"log", "ln", "exp", "sin", "cos", "tanh", "max", "min", "arg", "sup", "inf", "det"}
BINARY = set("=+-·×±≤≥≠≈∼∝∈→↦←⊙⊕≡∪∩≪≫")
POWERS = dict(zip("0123456789+-nT⊤", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿᵀᵀ", strict=True))
INDICES = dict(zip("0123456789", "₀₁₂₃₄₅₆₇₈₉", strict=True))


@dataclass
class FormulaPart:
    """A part of a formula.

    Attributes:
        kind: "row", "letter", "number", "sign", "word", "space", "fraction", "root", "accent" or
            "script", of a base, what is below and what is above.
        text: What it is, where it has no parts.
        parts: What it is made of.
    """

    kind: str
    text: str = ""
    parts: list[FormulaPart] = field(default_factory=list)


class _Reader:
    """Reads a formula, one token after the other."""

    def __init__(self, latex: str) -> None:
        self.tokens = re.findall(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\S", latex, flags=re.S)
        # Words keep their spaces.
        self.words = re.findall(rf"\\(?:{'|'.join(WORDS)})\s*\{{([^{{}}]*)\}}", latex)
        self.place = 0

    def row(self, end: str) -> FormulaPart:
        parts: list[FormulaPart] = []
        while (token := self._next()) not in (end, ""):
            if token in ("^", "_"):
                self._attach(parts, token)
            elif (node := self._node(token)) is not None:
                parts.append(node)
        return parts[0] if len(parts) == 1 else FormulaPart("row", parts=parts)

    def _next(self) -> str:
        self.place += 1
        return self.tokens[self.place - 1] if self.place <= len(self.tokens) else ""

    def _argument(self) -> FormulaPart:
        token = self._next()
        while token[1:] in IGNORED:
            token = self._next()
        if token.isdigit():  # of several digits the first alone
            self.place -= 1
            self.tokens[self.place : self.place + 1] = list(token)
            token = self._next()
        return self._node(token) or FormulaPart("row")

    def _attach(self, parts: list[FormulaPart], sign: str) -> None:
        base = parts.pop() if parts else FormulaPart("row")
        if base.kind != "script":
            base = FormulaPart("script", parts=[base, FormulaPart("row"), FormulaPart("row")])
        base.parts[1 if sign == "_" else 2] = self._argument()
        parts.append(base)

    def _node(self, token: str) -> FormulaPart | None:
        if token == "{":
            return self.row("}")
        if token[0:1] != "\\":
            kind = "number" if token[:1].isdigit() else "letter" if token.isalpha() else "sign"
            return FormulaPart(kind, {"'": "′", "-": "−", "*": "∗"}.get(token, token))
        name = token[1:]
        if name in IGNORED:
            return None
        if name == "frac":
            return FormulaPart("fraction", parts=[self._argument(), self._argument()])
        if name == "sqrt":
            return FormulaPart("root", parts=[self._argument()])
        if name in ACCENTS:
            return FormulaPart("accent", name, [self._argument()])
        if name in WORDS:
            self._argument()
            return FormulaPart("word", self.words.pop(0).replace("\\_", "_") if self.words else "")
        if name in SPACES:
            return FormulaPart("space", SPACES[name])
        if name in SIGNS:
            return FormulaPart("sign", SIGNS[name])
        return (
            FormulaPart("letter", LETTERS[name]) if name in LETTERS else FormulaPart("word", name)
        )


def tree_of(latex: str) -> FormulaPart:
    """Return a formula as a tree."""
    return _Reader(latex).row("\0")


def plain(latex: str) -> str:
    r"""Return a formula as text.

    Example:
        >>> plain(r"\frac{1}{2} \lVert \nabla_x D(x) \rVert^2, k_{t+1} = \bar x_0")
        '1/2 ‖∇_x D(x)‖², k_(t + 1) = x̄₀'
    """
    return re.sub(r" {2,}", "  ", _text(tree_of(latex))).strip()


def mathml(latex: str, *, display: bool = False) -> str:
    r"""Return a formula as MathML, which browsers show by themselves.

    Example:
        >>> mathml(r"\sigma^2")
        '<math><msup><mi>σ</mi><mn>2</mn></msup></math>'
    """
    block = ' display="block"' if display else ""
    return f"<math{block}>{_markup(tree_of(latex))}</math>"


def rewritten(text: str, inline: Callable[[str], str], display: Callable[[str], str]) -> str:
    """Return a docstring with its formulas replaced.

    Args:
        text: The docstring.
        inline: Makes the text of a formula in a line.
        display: Makes the line of one that stands by itself.
    """
    text = DISPLAY.sub(lambda m: m[1] + display(" ".join(m[2].split())), text)
    return INLINE.sub(lambda m: inline(" ".join(m[1].split())), text)


# As text ----------------------------------------------------------------------------------------


def _text(node: FormulaPart) -> str:
    texts = [_text(part) for part in node.parts]
    if node.kind == "row":
        return _joined(node.parts, texts)
    if node.kind == "fraction":
        return f"{_grouped(node.parts[0])}/{_grouped(node.parts[1])}"
    if node.kind == "root":
        return f"√{_grouped(node.parts[0])}"
    if node.kind == "accent":
        return f"{texts[0]}{ACCENTS[node.text][0]}" if len(texts[0]) == 1 else texts[0]
    if node.kind == "script":
        base, below, above = texts
        return base + _script(below, "_", INDICES) + _script(above, "^", POWERS)
    return node.text


def _joined(parts: list[FormulaPart], texts: list[str]) -> str:
    """Return a row, with spaces where people write them."""
    line = ""
    for index, (node, text) in enumerate(zip(parts, texts, strict=True)):
        core = node.parts[0] if node.kind == "script" else node
        sign = core.text in BINARY | {"−"} and core.kind == "sign"
        first = index == 0 or (line.rstrip()[-1:] in "([{,=⟨|←")
        if sign and not (core.text in "−+" and first):
            line = f"{line.rstrip(' ')} {text} "
        elif sign:
            line += text
        elif core.kind == "sign" and core.text in ",;":
            line += f"{text} "
        else:
            apart = (
                core.kind == "word"
                or core.text in ("∑", "∏", "∫")
                or _ends_in_word(parts[index - 1] if index else None, core)
            )
            line += f" {text}" if apart and line[-1:] not in ("", " ", "(", "[", "‖", "−") else text
    return line.strip()


def _ends_in_word(before: FormulaPart | None, node: FormulaPart) -> bool:
    """Whether a space is needed after a function's name, or a big sign."""
    if before is None or (node.kind == "sign" and node.text in ")]},(["):
        return False
    core = before.parts[0] if before.kind == "script" else before
    operator = core.kind == "sign" and core.text in "∑∏∫∇"
    gap = operator and (before.kind == "script" or core.text != "∇")
    return core.kind == "word" or gap or node.kind == "fraction" or before.kind == "fraction"


def _grouped(node: FormulaPart) -> str:
    text = _text(node)
    simple = node.kind in ("letter", "number", "accent", "word") or (
        node.kind == "script" and node.parts[0].kind in ("letter", "number")
    )
    norm = text[:1] == "‖" and text.rstrip("₀₁₂²_ ")[-1:] == "‖" and text.count("‖") == 2
    return text if simple or norm else f"({text})"


def _script(text: str, sign: str, characters: dict[str, str]) -> str:
    short = text.replace("−", "-")
    if not short:
        return ""
    if all(c in characters for c in short):
        return "".join(characters[c] for c in short)
    if text == "′":
        return text
    return f"{sign}{text}" if len(text) == 1 or text.isalpha() else f"{sign}({text})"


# As MathML --------------------------------------------------------------------------------------

TAGS = {"letter": "mi", "number": "mn", "sign": "mo", "row": "mrow"}


def _markup(node: FormulaPart) -> str:
    inner = [_markup(part) for part in node.parts]
    if node.kind == "row":
        inner = [text + _gap(part) for part, text in zip(node.parts, inner, strict=True)]
    if node.kind == "fraction":
        return f"<mfrac>{''.join(inner)}</mfrac>"
    if node.kind == "root":
        return f"<msqrt>{inner[0]}</msqrt>"
    if node.kind == "accent":
        return f'<mover accent="true">{inner[0]}<mo>{ACCENTS[node.text][1]}</mo></mover>'
    if node.kind == "space":
        return f'<mspace width="{0.25 * max(len(node.text), 1) ** 2}em"/>'
    if node.kind == "word":
        return (
            f"<mi>{escape(node.text)}</mi>"
            if node.text in FUNCTIONS
            else (f"<mtext>{escape(node.text)}</mtext>")
        )
    if node.kind == "script":
        base, below, above = inner
        big = node.parts[0].text in ("∑", "∏")
        there = [bool(part.text or part.parts) for part in node.parts[1:]]
        names = ("munder", "mover", "munderover") if big else ("msub", "msup", "msubsup")
        tag = names[2 if all(there) else 0 if there[0] else 1]
        kept = [text for text, is_there in zip((below, above), there, strict=True) if is_there]
        return f"<{tag}>{base}{''.join(kept)}</{tag}>"
    text = escape(node.text).replace("|", "&#124;")  # which would end a cell of a table
    return f"<{TAGS[node.kind]}>{text or ''.join(inner)}</{TAGS[node.kind]}>"


def _gap(node: FormulaPart) -> str:
    """Return the space after the name of a function."""
    core = node.parts[0] if node.kind == "script" else node
    return '<mspace width="0.15em"/>' if core.text in FUNCTIONS else ""
