"""Arguments of every kind are built as their types say, written down whole, and taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pytorch_lightning import Callback
from torch import nn

from lightning_gan import Discriminator, InputError
from lightning_gan.cli.settings import compose, trees
from lightning_gan.cli.settings.resolve import CHECK, resolve
from lightning_gan.cli.settings.short_names import normalise
from lightning_gan.cli.settings.written import configuration_text
from lightning_gan.components.nodes import build_node
from lightning_gan.components.taking import Argument

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of jsonargparse


class Color(Enum):
    RED = 1
    BLUE = 2


@dataclass
class Opt:
    a: int = 1
    b: float = 2.0


class Inner:
    def __init__(self, n: int = 1):
        self.n = n

    def __eq__(self, other):
        return type(other) is Inner and other.n == self.n

    __hash__ = None


class Taking(Callback):
    def __init__(
        self,
        opt: Opt = Opt(7),  # noqa: B008
        maybe: Opt | None = None,
        free: Any = None,
        some: dict[str, Inner | None] | None = None,
        mixed: list[Inner | int] | None = None,
        pair: tuple[Inner, Inner] | None = None,
        colors: list[Color] = [Color.BLUE],  # noqa: B006
        named: dict[str, Color] | None = None,
        functions: list[Callable] | None = None,
        places: list[Path] | None = None,
        made: Callable[[int], Inner] | None = None,
        anything: dict[str, Any] | None = None,
        sizes: list[int] | None = None,
        either: Inner | Opt | None = None,
        **more: int,
    ):
        given = dict(locals())
        self.given = {key: value for key, value in given.items() if key not in ("self", "more")}
        self.given.update(more)


INNER = {"class_path": f"{__name__}.Inner", "init_args": {"n": 4}}
CASES = {
    "nothing": ({}, {"opt": Opt(7), "colors": [Color.BLUE], "maybe": None}),
    "dataclass": ({"opt": {"a": 3}}, {"opt": Opt(3)}),
    "dataclass or null": ({"maybe": {"b": 5.0}}, {"maybe": Opt(1, 5.0)}),
    "any": ({"free": INNER}, {"free": Inner(4)}),
    "names of classes or null": (
        {"some": {"a": INNER, "b": None}},
        {"some": {"a": Inner(4), "b": None}},
    ),
    "classes or numbers": ({"mixed": [INNER, 3]}, {"mixed": [Inner(4), 3]}),
    "tuple of classes": ({"pair": [INNER, INNER]}, {"pair": (Inner(4), Inner(4))}),
    "enums": (
        {"colors": ["RED", "BLUE"], "named": {"a": "RED"}},
        {"colors": [Color.RED, Color.BLUE], "named": {"a": Color.RED}},
    ),
    "functions": ({"functions": ["torch.relu"]}, {"functions": [torch.relu]}),
    "paths": ({"places": ["a/b"]}, {"places": [Path("a/b")]}),
    "further": ({"dict_kwargs": {"x": 3}}, {"x": 3}),
    "text of any type": ({"free": "1e5"}, {"free": "1e5"}),
    "text among values of any type": (
        {"anything": {"a": "null", "b": "[1,2]", "c": 3, "d": 1.5}},
        {"anything": {"a": "null", "b": "[1,2]", "c": 3, "d": 1.5}},
    ),
    "whole numbers": ({"sizes": [1e4, 2]}, {"sizes": [10_000, 2]}),
    "a class or a dataclass": ({"either": {"b": 5.0}}, {"either": Opt(1, 5.0)}),
    "the class of them": ({"either": INNER}, {"either": Inner(4)}),
}


def settings(given):
    composed = compose.settings([])
    composed["trainer"]["callbacks"] = [{"class_path": f"{__name__}.Taking", **given}]
    return resolve(trees.shorten(composed))


def again(text):
    """Resolved settings that a file of this text stands for."""
    return resolve(normalise(trees.shorten(yaml.safe_load(text))))


@pytest.mark.parametrize("case", CASES)
def test_values_are_what_their_types_say_also_when_they_come_from_the_file(case):
    given, expected = CASES[case]
    resolved = settings(given)
    for _ in range(2):
        (node,) = resolved["trainer"]["callbacks"]
        found = build_node("trainer.callbacks.0", node).given
        assert {key: found[key] for key in expected} == expected
        if case == "tuple of classes":
            assert type(found["pair"]) is tuple
        resolved = again(configuration_text(resolved))


def test_what_is_made_later_gets_its_first_argument_then():
    (node,) = settings({"made": {"class_path": f"{__name__}.Inner"}})["trainer"]["callbacks"]
    assert build_node("x", node).given["made"](9) == Inner(9)


def test_further_arguments_have_names():
    with pytest.raises(InputError, match="callbacks.0.dict_kwargs: got 5; expected key: value"):
        settings({"dict_kwargs": 5})


def test_further_arguments_are_none_that_are_known_and_would_not_be_checked():
    with pytest.raises(InputError, match=r"0.dict_kwargs.sizes: .* write .*callbacks.0.sizes"):
        settings({"sizes": [1], "dict_kwargs": {"sizes": ["x"]}})


def test_an_unknown_field_is_named_beside_the_known_ones():
    with pytest.raises(InputError, match=r"0\.opt: Opt has no field 'c'.* Its fields: a, b"):
        settings({"opt": {"c": 3}})


class Plain(Discriminator):
    """A network without arguments."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64, 1)

    def forward(self, x, y=None):
        return self.head(x.flatten(1))


def test_a_network_without_arguments_is_written_down():
    resolved = resolve(compose.settings([f"discriminator={__name__}.Plain"]))
    content = yaml.safe_load(configuration_text(resolved))
    assert content["model"]["init_args"]["discriminator"] == {"class_path": f"{__name__}.Plain"}


@pytest.mark.parametrize(
    "words",
    [
        "trainer.callbacks=[{class_path:RichProgressBar}]",
        "trainer.profiler.class_path=SimpleProfiler",
        "trainer.strategy.class_path=DDPStrategy",
        "trainer.plugins=[{class_path:AsyncCheckpointIO}]",
        "trainer.logger=[{class_path:TensorBoardLogger,save_dir:here}]",
    ],
)
def test_classes_of_lightning_go_by_their_names_and_come_back_from_the_file(words):
    resolved = resolve(compose.settings([words]))
    text = configuration_text(resolved)
    assert configuration_text(again(text)) == text
    assert "SUPPRESS" not in text


class Nullable(Callback):
    def __init__(self, most: int | None): ...


def test_null_is_given_where_a_type_allows_it():
    path = f"{__name__}.Nullable"
    assert CHECK.node("x", {"class_path": path, "most": None}, Callback)["init_args"] == {
        "most": None
    }
    with pytest.raises(InputError, match="^x.most is missing; expected int or null: x.most=...$"):
        CHECK.node("x", path, Callback)


def test_an_argument_that_is_missing_is_explained_by_the_beginning_of_its_documentation():
    for doc, meaning in {
        "The folder. Read once.": "the folder",
        "A folder of WAV files": "a folder of WAV files",
        "RGB values, ``(3,)``.": "RGB values, `(3,)`",
        "": "",
        "Whatever " * 12: "",
    }.items():
        assert Argument("root", str, True, None, doc).meaning() == meaning
