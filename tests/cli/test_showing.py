"""``plugins show``: one component, with all there is to know of it."""

import functools
import json
import math
import re
import shlex
from pathlib import Path

import pytest
import torch

from lightning_gan.augments.identity import IdentityAugment
from lightning_gan.cli.plugins import showing
from lightning_gan.components import registry
from lightning_gan.components.taking import arguments_of
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.losses.hinge import HingeLoss
from lightning_gan.testing import own_cases

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


RANGE = re.compile(
    r"\b(?:at least -?\d|above (?:-?\d|`\w+`)|in [\[(]-?[\d.]+, -?[\d.]+[\])]|any number\b"
    r"|high above low|numbered from 0)",
    re.I,
)
# Of arguments without a default, and in place of those that make large networks.
GIVEN = {
    "sample_shape": [1, 8, 8],
    "base_channels": 4,
    "hidden": [4],
    "widths": 4,
    "cardinality": 1,
    "start": 1.0,
    "end": 1.0,
    "kimg": 1.0,
    "value": 1.0,
    "factor": 1.0,
    "decay": 0.5,
    "knots": [[0.0, 0.0], [1.0, 1.0]],
    "shares": {"adversarial": 1.0},
    "terms": ["adversarial", "l1"],
    "layer": "layers.2",
    "vgg_file": "none.pth",
}
# Not looked at: what torch itself takes.
UNCHECKED = [("lr_scheduler", "inverse_time_decay", "last_epoch")]


def ours(kind):
    return [entry for entry in registry.entries(kind) if entry.ours]


def numbers_of(entry):
    """Return the arguments of a component that are, or hold, numbers."""
    found = showing.described(entry)["arguments"]
    return [each for each in found if re.search(r"\b(?:int|float)\b", each["type"])]


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_number_is_shown_with_its_range(kind):
    for entry in ours(kind):
        for each in numbers_of(entry):
            assert RANGE.search(each["text"]), (entry.name, each["name"], each["text"])


def given_to(entry):
    cls = registry.load_entry(entry)
    known = arguments_of(cls, 1 if entry.kind == "lr_scheduler" else 0)
    waves = known.get("sample_shape") and known["sample_shape"].default == (1, None)
    found = {n: v for n, v in GIVEN.items() if n in known and not (n == "sample_shape" and waves)}
    if entry.kind not in ("generator", "discriminator"):
        found = {name: value for name, value in found.items() if known[name].required}
    if "loss" in known:
        found["loss"] = HingeLoss()
    if "augments" in known:
        found["augments"] = [IdentityAugment()]
    if entry.name == "packed":
        found["discriminator"] = MLPDiscriminator((2, 8, 8), hidden=[4])
    if entry.kind == "lr_scheduler":
        cls = functools.partial(cls, torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1))
    return cls, found


def outside(text, others):
    """Return numbers that do not lie in the range of a description."""
    number = r"(-?\d+(?:\.\d+)?)"
    if "high above low" in text:
        return [[1.0, 1.0]]
    if found := re.search(rf"in ([\[(]){number}, {number}([\])])", text):
        low, high = float(found[2]), float(found[3])
        return [low - (found[1] == "["), high + (found[4] == "]")]
    if found := re.search(r"at least (-?\d+)", text, re.I):
        return [int(found[1]) - 1]
    if found := re.search(rf"above (?:{number}|`(\w+)`)", text):
        return [float(found[1] or others[found[2]])]
    return [math.nan] if "any number" in text else []


def instead(value, number, kind):
    """Return a value whose first number is another one."""
    if isinstance(value, (list, tuple)):
        return [instead(value[0], number, ""), *value[1:]]
    if isinstance(number, list):
        return number
    if value is None and "names with" in kind:
        return {"one": number}
    if isinstance(value, dict):
        return dict.fromkeys(value, number)
    if value is None and "list of" in kind:
        return [number]
    return number


@pytest.mark.parametrize("kind", registry.KINDS)
def test_numbers_out_of_the_range_that_is_shown_are_refused(kind):
    for entry in ours(kind):
        cls, given = given_to(entry)
        if entry.name != "perceptual":  # has no file
            cls(**given)
        numbers = numbers_of(entry)
        others = {each["name"]: each["default"] for each in numbers} | given
        for each in numbers:
            if (kind, entry.name, each["name"]) in UNCHECKED:
                continue
            wrong = outside(each["text"], others)
            if "float" in each["type"].split(" or "):
                wrong.append(math.nan)
            for number in wrong:
                value = instead(others[each["name"]], number, each["type"])
                with pytest.raises(InputError, match=rf"\b{each['name']}\b|a resolution"):
                    cls(**{**given, each["name"]: value})


PLUGIN = re.compile(r"(lightning-gan fit experiment=(\w+))  ?# of the plugin ([\w-]+)")
# What keeps a training small; the last ones of components that are large.
SMALL = (
    "data.batch_size=4 trainer.max_steps=2 trainer.accelerator=cpu samples=false curves=false "
    "trainer.enable_progress_bar=false trainer.limit_val_batches=0"
)
NARROW = {
    ("discriminator", "biggan"): "model.discriminator.base_channels=8",
    ("discriminator", "multi_period"): "model.discriminator.base_channels=4",
    ("discriminator", "multi_scale_wave"): "model.discriminator.base_channels=8",
    ("generator", "acgan"): "model.generator.base_channels=8",
    ("generator", "biggan"): "model.generator.base_channels=8",
}


def examples(kind):
    """Return the entries of a kind, each with its example, but for those of plugins."""
    found = [(entry, showing.described(entry)["example"]) for entry in ours(kind)]
    return [(entry, example) for entry, example in found if not PLUGIN.search(example)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_example_is_a_configuration(kind, command):
    for entry, example in examples(kind):
        program, *words = shlex.split(example)
        assert program == "lightning-gan"
        result = command(shlex.join([*words, "--print_config"]))
        assert result.code == 0, (example, result.err)
        assert entry.class_path in result.out, example


@pytest.mark.slow
@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_example_trains(kind, command, tmp_path):
    if kind == "regularizer":
        torch.save(own_cases.vgg_state(blocks=5), tmp_path / "vgg16-397923af.pth")
    for entry, example in examples(kind):
        narrow = NARROW.get((kind, entry.name), "")
        result = command(f"{example.removeprefix('lightning-gan ')} {SMALL} {narrow}")
        assert result.code == 0, (example, result.err)


def test_examples_of_plugins_name_an_experiment_with_the_component():
    root, found = Path(__file__).parents[2] / "plugins", []
    for kind in registry.KINDS:
        for entry in ours(kind):
            example = showing.described(entry)["example"]
            if match := PLUGIN.fullmatch(example):
                files = [
                    file
                    for project in root.glob("*/pyproject.toml")
                    if f'name = "{match[3]}"' in project.read_text().splitlines()
                    for file in project.parent.glob(f"*/configs/experiment/{match[2]}.yaml")
                ]
                assert len(files) == 1, example
                assert re.search(rf"/{kind}s?: .*\b{entry.name}\b", files[0].read_text()), example
                found.append(entry.name)
    assert found == ["unet", "commitment", "gaussian_kl"]
