"""``plugins show``: one component, with all there is to know of it."""

import json
import shlex

import pytest

from lightning_gan.cli.plugins import showing
from lightning_gan.components import registry

THEIRS = '''\
from lightning_gan import Player, Regularizer


class Theirs(Regularizer):
    r"""Somebody else's term (Nobody 2030, equation 7).

    It is :math:`\\frac{1}{2} x^2`, of which

    .. math:: x = \\sigma(y)

    and :class:`~some.where.Thing` are known; ``nothing`` else.

    - a list
    - of two

    Args:
        slope: How steep, at least 0;
            two lines.
        weight: Factor.

    Raises:
        InputError: Never.

    Example:
        lightning-gan fit regularizers=[theirs] \\
            model.regularizers.theirs.slope=2
    """

    requires = frozenset({"w", "class_logits"})
    trained_by = Player.GENERATOR
    observes = True

    def __init__(self, slope: float, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.slope = slope
'''
PAGE = """\
regularizer theirs
  from   gan-theirs 1.0
  class  their_term.Theirs

Somebody else's term (Nobody 2030, equation 7).

It is 1/2 x², of which

    x = σ(y)

and `Thing` are known; `nothing` else.

- a list
- of two

arguments:
  slope: float = required
      How steep, at least 0; two lines.
  weight: float = 1.0
      Factor.

declares:
  observes = true
  trained_by = generator
  requires = [class_logits, w]

example:
  lightning-gan fit regularizers=[theirs] model.regularizers.theirs.slope=2
"""


@pytest.fixture
def theirs(install):
    group = {"lightning_gan.regularizers": ["theirs = their_term:Theirs"]}
    install("gan-theirs", group, {"their_term.py": THEIRS})


@pytest.mark.parametrize("words", ["theirs", "regularizer theirs", "gan-theirs:theirs"])
def test_a_page(words, command, theirs):
    assert command(f"plugins show {words}").out == PAGE


def test_as_json(command, theirs):
    found = json.loads(command("plugins show --json theirs").out)
    assert found["summary"] == "Somebody else's term (Nobody 2030, equation 7)."
    assert found["arguments"][0] == {
        "name": "slope",
        "type": "float",
        "required": True,
        "default": None,
        "text": "How steep, at least 0; two lines.",
    }
    assert found["declares"]["requires"] == ["class_logits", "w"]
    assert found["example"].endswith("slope=2")
    assert (found["kind"], found["distribution"]) == ("regularizer", "gan-theirs")


def test_a_broken_one(command, install):
    install("gan-broken", {"lightning_gan.losses": ["broken = nowhere:Nope"]}, {})
    result = command("plugins show broken")
    assert result.code == 2
    assert result.error.startswith("loss 'broken' from gan-broken 1.0 (nowhere:Nope) failed to ")


def test_unknown_in_a_distribution(command):
    text = "unknown component 'lightning-gan:hing', did you mean 'lightning-gan:hinge'? All of"
    assert command("plugins show lightning-gan:hing").error.startswith(text)


def test_tables_keep_their_lines(command):
    lines = command("plugins show f_divergence").out.splitlines()
    assert "| squared_hellinger | 1 − e^(−v) | t/(1 − t) |" in lines
    assert max(map(len, lines)) < 120


@pytest.mark.slow
@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_example_is_a_configuration(kind, command):
    for entry in registry.entries(kind):
        example = showing.described(registry.find_entry(kind, entry.name))["example"]
        program, *words = shlex.split(example)
        assert program == "lightning-gan"
        result = command(shlex.join([*words, "--print_config"]))
        assert result.code == 0, (example, result.err)
        assert entry.class_path in result.out, example


@pytest.mark.slow
@pytest.mark.parametrize("name", ["slicing", "top_k", "energy_based", "wgan_gp"])
def test_an_example_trains(name, command):
    (entry,) = [e for kind in registry.KINDS for e in registry.entries(kind) if e.name == name]
    words = shlex.split(showing.described(entry)["example"])[1:]
    small = "trainer.max_steps=2 data.batch_size=8 trainer.accelerator=cpu samples=false "
    small += "curves=false trainer.enable_progress_bar=false trainer.limit_val_batches=0"
    assert command(shlex.join([*words, *small.split()])).code == 0
