"""The conformance kit: what is wrong in one way fails the check of it, in a sentence."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from lightning_gan.components import registry
from lightning_gan.errors import InputError, PluginError
from lightning_gan.testing import ConformanceError
from lightning_gan.testing.cases import declarations
from lightning_gan.testing.games import NothingToCheck
from lightning_gan.testing.kit import Kit, checks_of, components_of

pytest_plugins = ["pytester"]
HEAD = """\
import torch
from torch import nn

from lightning_gan import Generator, Prior, Regularizer
from lightning_gan.generators.mlp import MLPGenerator

COUNT = [0]
"""
# Name of the check: kind, class body, and what the sentence says.
WRONG = {
    "loads": ("loss", "class Wrong: pass", "is class Wrong, expected a subclass of lightning_gan"),
    "contract": (
        "prior",
        """
        class Wrong(Prior):
            def sample(self, n, latent_dim, *, generator, device):
                return torch.randn(n, latent_dim + 1, generator=generator, device=device)
        """,
        "must be",
    ),
    "sizes": (
        "generator",
        """
        class Wrong(Generator):
            def __init__(self, sample_shape, latent_dim=8):
                super().__init__()
                self.sample_shape, self.latent_dim = tuple(sample_shape), latent_dim
                self.draw = nn.Linear(latent_dim, 64)

            def forward(self, z, y=None):
                return self.draw(z).tanh().view(-1, 1, 8, 8)
        """,
        r"its result must be torch.float32 of shape \(1, 1, 16, 16\), got .* shape \(1, 1, 8, 8\)",
    ),
    "gradients": (
        "generator",
        """
        class Wrong(MLPGenerator):
            def __init__(self, sample_shape, latent_dim=8, hidden=(8,)):
                super().__init__(sample_shape, latent_dim, hidden)
                self.idle = nn.Parameter(torch.ones(()))

            def forward(self, z, y=None):
                return super().forward(z, y) + 0 * self.idle
        """,
        "must let the discriminator's logits reach all of its parameters, but the gradient of idle",
    ),
    "repeatable": (
        "regularizer",
        """
        class Wrong(Regularizer):
            def generator(self, step):
                COUNT[0] += 1
                return COUNT[0] * step.fake.square()
        """,
        "must do the same again from the same seed, but generator.* differs by .*: draw from",
    ),
    "resume": (
        "regularizer",
        """
        class Wrong(Regularizer):
            def __init__(self):
                super().__init__()
                self.asked = 0

            def generator(self, step):
                self.asked += 1
                return self.asked * step.fake.square()
        """,
        "must go on after a resume as it would have, but .* differs by .*: keep what it remembers",
    ),
    "micro-batches": (
        "regularizer",
        """
        class Wrong(Regularizer):
            def generator(self, step):
                return (step.fake - step.fake.mean(0)).square()
        """,
        "must come to the same weights with micro-batches as with whole batches, but .* differs by",
    ),
    "two-processes": (
        "regularizer",
        """
        class Wrong(Regularizer):
            def __init__(self):
                super().__init__()
                self.register_buffer("mean", torch.zeros(()))

            def generator(self, step):
                self.mean.copy_(step.real.mean())
                return step.fake.square()
        """,
        "must come to the same weights in all processes, but regularizers.it.mean differs by",
    ),
    "bfloat16": (
        "generator",
        """
        class Wrong(MLPGenerator):
            def forward(self, z, y=None):
                x = super().forward(z, y)
                return 1e-4 * x / ((1 + 1e-4 * (1 + x.abs())) - 1)
        """,
        "must stay finite under bfloat16 autocast, but a loss or a gradient is NaN or infinite",
    ),
    "heads": (
        "regularizer",
        """
        class Wrong(Regularizer):
            def discriminator(self, step):
                return step.real_output.logits.square()
        """,
        "must be played with a discriminator of two heads, or refuse it with an InputError: Attr",
    ),
    "compile": (
        "generator",
        """
        class Wrong(MLPGenerator):
            def forward(self, z, y=None):
                x = super().forward(z, y)
                return 0.5 * x if torch.compiler.is_compiling() else x
        """,
        "must compute the same when it is compiled, but outputs or gradients differ by",
    ),
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Make a distribution gan-NAME of a module plug_NAME with a class Wrong."""
    names = []

    def call(name, kind, source, cases=""):
        folder = tmp_path / name
        info = folder / f"gan_{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: gan-{name}\nVersion: 1.0\n")
        points = f"[{registry.KINDS[kind].group}]\nwrong = plug_{name}:Wrong\n"
        points += f"[lightning_gan.cases]\nx = plug_{name}:CASES\n" if cases else ""
        (info / "entry_points.txt").write_text(points)
        text = HEAD + textwrap.dedent(source) + (f"\nCASES = {cases}\n" if cases else "")
        (folder / f"plug_{name}.py").write_text(text)
        monkeypatch.syspath_prepend(folder)
        registry.clear_cache()
        names.append(f"plug_{name}")
        return f"gan-{name}"

    yield call
    for name in names:
        sys.modules.pop(name, None)
    registry.clear_cache()


def run(distribution, check, folder):
    (entry,) = components_of(distribution)
    assert check in checks_of(entry.kind)
    Kit([distribution], folder / "kit").run(entry, check)


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(c, marks=[pytest.mark.slow] * (c in ("two-processes", "compile")))
        for c in WRONG
    ],
)
def test_each_check_can_fail(check, install, tmp_path):
    kind, source, sentence = WRONG[check]
    name = check.replace("-", "")
    distribution = install(name, kind, source)
    with pytest.raises(ConformanceError, match=sentence):
        run(distribution, check, tmp_path)
    if check not in ("loads", "contract"):
        run(distribution, "loads", tmp_path)


def test_every_check_has_a_wrong_plugin():
    assert set(WRONG) == {check for kind in registry.KINDS for check in checks_of(kind)}


def test_a_batch_of_one_is_tried(install, tmp_path):
    source = """
        class Wrong(Regularizer):
            couples_samples = True

            def generator(self, step):
                x = step.fake.flatten(1)
                return (x - x.mean(0)).square().sum(0) / (len(x) - 1)
    """
    with pytest.raises(ConformanceError, match="must stay finite for a batch of 1, but a term is"):
        run(install("single", "regularizer", source), "sizes", tmp_path)


def test_a_needless_declaration_is_found(install, tmp_path):
    source = """
        class Wrong(Regularizer):
            couples_samples = True

            def generator(self, step):
                return step.fake.square()
    """
    with pytest.raises(ConformanceError, match="declares that samples depend .* leave the decl"):
        run(install("needless", "regularizer", source), "micro-batches", tmp_path)


NEEDS = """
    class Wrong(Regularizer):
        def __init__(self, power):
            super().__init__()
            self.power = power

        def generator(self, step):
            return step.fake.abs() ** self.power
"""


def test_what_a_constructor_needs_is_declared(install, tmp_path):
    with pytest.raises(ConformanceError, match="must be built from no arguments, but raises TypeE"):
        run(install("silent", "regularizer", NEEDS), "contract", tmp_path)
    with pytest.raises(ConformanceError, match="cannot be tried, TypeError.*lightning_gan.cases"):
        run("gan-silent", "resume", tmp_path)
    run(install("told", "regularizer", NEEDS, '{"wrong": {"power": 2}}'), "contract", tmp_path)
    run("gan-told", "resume", tmp_path)
    cases = '{"regularizer/wrong": lambda folder: {"arguments": {"power": 2}, "y": None}}'
    run(install("called", "regularizer", NEEDS, cases), "contract", tmp_path)


def test_a_check_is_left_out_with_its_reason(install, tmp_path):
    cases = '{"wrong": {"power": 2, "leave_out": {"heads": "of one head alone"}}}'
    with pytest.raises(NothingToCheck, match="left out by its distribution: of one head alone"):
        run(install("left", "regularizer", NEEDS, cases), "heads", tmp_path)


@pytest.mark.slow
def test_what_is_drawn_for_a_batch_is_the_same_in_all_processes(install, tmp_path):
    source = """
        class Wrong(Regularizer):
            def generator(self, step):
                return step.extra["mask"][:, :, None, None] * step.fake.square()
    """
    cases = '{"wrong": lambda folder: {"extra": {"mask": torch.rand(4, 1)}}}'
    run(install("drawn", "regularizer", source, cases), "two-processes", tmp_path)
    run("gan-drawn", "micro-batches", tmp_path)


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ('{"wrnog": {}}', "gan-odd: lightning_gan.cases declares 'wrnog', .* did you mean 'wrong'"),
        ("[1]", "gan-odd: the entry point .* x = plug_odd:CASES is list; expected a mapping"),
    ],
)
def test_wrong_declarations(cases, message, install):
    install("odd", "regularizer", NEEDS, cases)
    with pytest.raises(InputError, match=message):
        declarations("gan-odd")


def test_an_unknown_distribution():
    with pytest.raises(PluginError, match="no distribution 'lightning-gam' with components is ins"):
        components_of("lightning-gam")


def test_the_option_of_pytest(install, pytester):
    source = """
        class Wrong(Prior):
            def sample(self, n, latent_dim, *, generator, device):
                return torch.rand(n, latent_dim, generator=generator, device=device)
    """
    install("opt", "prior", source)
    option = "--lightning-gan-plugin=gan-opt"
    result = pytester.runpytest_inprocess(option, "-k", "loads or contract", "-rA")
    result.assert_outcomes(passed=2, deselected=len(checks_of("prior")) - 2)
    assert "PASSED gan-opt::prior/wrong::loads" in result.stdout.str()
    result = pytester.runpytest_inprocess("--lightning-gan-plugin=gan-opf")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "did you mean 'gan-opt'" in result.stderr.str()


def test_a_failure_is_a_sentence_without_a_traceback(install, pytester):
    install("bad", *WRONG["contract"][:2])
    result = pytester.runpytest_inprocess("--lightning-gan-plugin=gan-bad", "-k", "contract")
    result.assert_outcomes(failed=1, deselected=len(checks_of("prior")) - 1)
    text = result.stdout.str()
    assert "Wrong: " in text
    assert "Traceback" not in text
    assert "kit.py" not in text


@pytest.mark.slow
def test_pytest_stays_light_without_the_option():
    code = (
        "import sys, lightning_gan.pytest_plugin; "
        "print([m for m in ('torch', 'numpy', 'pytorch_lightning') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
