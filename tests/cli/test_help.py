"""Help names everything that can be written."""

import dataclasses
import subprocess
import sys

import pytest

from lightning_gan import __version__
from lightning_gan.cli import explain
from lightning_gan.cli.arguments import RUNS, TOOLS
from lightning_gan.cli.commands import evaluate
from lightning_gan.cli.settings import compose
from lightning_gan.components import registry
from lightning_gan.evaluation.plan import METRICS, Plan


def test_every_component_group_and_experiment_is_named(command):
    result = command("--help")
    assert result.code == 0
    lines = result.out.splitlines()
    for group, kind in compose.KIND_GROUPS.items():
        (line,) = [line for line in lines if line.split()[:1] == [group]]
        index = lines.index(line)
        text = " ".join(lines[index : index + 9]).replace(",", " ").split()
        assert set(registry.names(kind)) <= set(text)
    for name in compose.choices("experiment"):
        assert compose.description("experiment", name)
        assert f"{name} " in result.out
    for name, doc in {**RUNS, **TOOLS}.items():
        assert f"  {name:<14}{doc}" in lines
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 135


@pytest.mark.parametrize("name", ["fit", "validate", "test", "predict"])
def test_every_command_has_help(name, command):
    result = command(f"{name} --help")
    assert result.code == 0
    assert result.out.startswith(f"usage: lightning-gan {name} [key=value ...]\n")
    assert result.out.count(f"lightning-gan {name}") >= 5


def test_the_help_of_evaluate_names_every_setting(command):
    text = command("evaluate --help").out
    assert text.startswith("usage: lightning-gan evaluate CHECKPOINT [key=value ...]\n")
    for name in (*(field.name for field in dataclasses.fields(Plan)), *evaluate.OWN):
        assert f"\n  {name}=" in text
    assert all(name in text for name in METRICS)
    assert "n_fake=10000 " in text
    assert "None" not in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", ["compare", "report"])
def test_the_help_of_the_other_tools(name, command):
    result = command(f"{name} --help")
    assert result.code == 0
    assert result.out.startswith(f"usage: lightning-gan {name} ")
    assert max(map(len, result.out.splitlines())) <= 100


@pytest.mark.parametrize("path", explain.COMMON)
def test_the_settings_shown_exist_in_the_default_configuration(path):
    explain.get(compose.settings([]), path)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("fit --help generator=dcgan", "  model.generator.latent_dim: int = 100\n      Size Z"),
        ("fit generator=dcgan --help", "sample_shape: list of int = from the data\n"),
        ("fit --model.generator dcgan -h", "  model.generator.latent_dim: int = 100\n"),
        ("fit -h regularizers=[r1]", "  model.regularizers.r1.weight: float = 1.0\n"),
        ("fit -h data=mnist", "  data.root: str = data\n"),
        ("fit -h optimizer=adam", "at model.generator_optimizer, model.discriminator_optimizer)"),
        ("fit -h experiment=mnist_dcgan", "experiment=mnist_dcgan: Class-cond"),
        ("fit -h loss=minimax", "  no settings"),
        ("plugins --help", "usage: lightning-gan plugins list [--json] [--check]"),
    ],
)  # fmt: skip
def test_the_settings_of_a_choice(words, expected, command):
    result = command(words)
    assert result.code == 0
    assert expected in result.out


def test_help_for_an_unknown_choice(command):
    assert command("fit --help generator=dcgam").error.startswith(
        "generator: unknown generator 'dcgam', did you mean 'dcgan'?"
    )


def test_version(command):
    assert command("--version").out == f"lightning-gan {__version__}\n"


@pytest.mark.parametrize("group", ["data", "experiment", "optimizer"])
def test_every_file_of_ours_says_what_it_is(group):
    for name in compose.choices(group):
        assert compose.description(group, name).endswith("."), f"{group}/{name}"


@pytest.mark.parametrize("name", compose.choices("experiment"))
def test_every_experiment_composes_and_is_checked(name, command):
    data = " data=random" if name == "few_shot" else ""  # its own are a folder of the user's
    assert command(f"fit experiment={name}{data} --print_config").code == 0


def test_a_reader_may_leave_early():
    """As in ``lightning-gan --help | head``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lightning_gan", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
