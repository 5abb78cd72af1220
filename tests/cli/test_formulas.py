"""Formulas of docstrings, as text and as MathML."""

import importlib.util
import inspect
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lightning_gan.cli.plugins.formulas import DISPLAY, INLINE, mathml, plain, rewritten
from lightning_gan.components import registry

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"-\log\sigma(D(x)) - \log(1 - \sigma(D(G(z))))", "−log σ(D(x)) − log(1 − σ(D(G(z))))"),
        (r"\frac{1}{2} \lVert \nabla_x D(x) \rVert^2", "1/2 ‖∇_x D(x)‖²"),
        (r"(\lVert \nabla_{\hat x} D(\hat x) \rVert - 1)^2", "(‖∇_(x̂) D(x̂)‖ − 1)²"),
        (
            r"k_{t+1} = k_t + \lambda_k L, \qquad k_t \in [0, 1]",
            "k_(t + 1) = k_t + λ_kL,  k_t ∈ [0, 1]",
        ),
        (r"\sum_\alpha (1 + d^2 / 2\alpha)^{-\alpha}", "∑_α(1 + d²/2α)^(−α)"),
        (r"\pm 1 / \sqrt{\text{fan\_in}}", "± 1/√fan_in"),
        (r"H = -t \log l", "H = −t log l"),
        (r"U(-\frac12, \frac{a + b}{c})", "U(−1/2, (a + b)/c)"),
        (r"\left( \mathcal{L}_{rec} + \bar D_f \right)^{-1}", "(L_rec + D̄_f)⁻¹"),
        (r"E[k(x, x')] \leftarrow \langle w, h \rangle", "E[k(x, x′)] ← ⟨w, h⟩"),
        (r"\unheard_2 of", "unheard₂ of"),
        ("x_", "x"),
        (r"\frac{1}{", "1/()"),
    ],
)
def test_as_text(latex, text):
    assert plain(latex) == text


@pytest.mark.parametrize(
    ("latex", "inner"),
    [
        (r"\frac{a}{2}", "<mfrac><mi>a</mi><mn>2</mn></mfrac>"),
        (r"\sqrt{\beta}", "<msqrt><mi>β</mi></msqrt>"),
        ("x_i^2", "<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>"),
        (r"\sum_i", "<munder><mo>∑</mo><mi>i</mi></munder>"),
        (r"\bar D", '<mover accent="true"><mi>D</mi><mo>¯</mo></mover>'),
        (r"a < |b", "<mrow><mi>a</mi><mo>&lt;</mo><mo>&#124;</mo><mi>b</mi></mrow>"),
        (r"\text{a b}", "<mtext>a b</mtext>"),
    ],
)
def test_as_mathml(latex, inner):
    assert mathml(latex) == f"<math>{inner}</math>"
    assert mathml(latex, display=True) == f'<math display="block">{inner}</math>'


def test_in_a_docstring():
    text = "One.\n\nA :math:`x^2`, and\n:math:`a\n+ b`.\n\n.. math::\n    y\n    + z\n\nor\n\n"
    text += ".. math::\n\n    v\n\n.. math:: w\n\nEnd."
    found = rewritten(text, lambda f: f"<{f}>", lambda f: f"[{f}]")
    assert found == "One.\n\nA <x^2>, and\n<a + b>.\n\n[y + z]\n\nor\n\n[v]\n\n[w]\n\nEnd."


def formulas():
    for kind in registry.KINDS:
        for entry in registry.entries(kind):
            doc = inspect.getdoc(registry.load_entry(entry)) if entry.ours else None
            found = [*INLINE.findall(doc or ""), *(m[2] for m in DISPLAY.finditer(doc or ""))]
            yield from ((f"{kind} {entry.name}", " ".join(each.split())) for each in found)


def test_what_components_say_is_understood():
    """No command is left as its name; one that is new wants a sign in cli/plugins/formulas.py."""
    seen = list(formulas())
    assert len(seen) > 20
    for name, latex in seen:
        words = set(re.findall(r"[A-Za-z]{2,}", plain(latex)))
        commands = set(re.findall(r"\\([A-Za-z]+)", latex)) - set(re.findall(r"\{(\w+)\}", latex))
        known = {"log", "ln", "exp", "sin", "cos", "tanh", "max", "min", "arg", "sign", "mod"}
        assert not (words & commands) - known, (name, latex)
        ElementTree.fromstring(mathml(latex))  # well-formed


def test_the_reference_has_mathml():
    griffe = pytest.importorskip("griffe")
    path = ROOT / "docs" / "hooks" / "docstrings.py"
    spec = importlib.util.spec_from_file_location("hook_of_docstrings", path)
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    text = "The loss :math:`-\\log x` of :class:`~a.B`.\n\n.. math:: x\n\nEnd."
    thing = griffe.Function("f")
    thing.docstring = griffe.Docstring(text)
    hook.PlainDocstrings().on_instance(obj=thing)
    lines = thing.docstring.value.splitlines()
    assert lines[0].startswith('The loss <span class="formula"><math><mrow><mo>−</mo><mi>log</mi>')
    assert lines[0].endswith("</math></span> of `B`.")
    assert '<div class="formula"><math display="block"><mi>x</mi></math></div>' in lines
