"""What a class takes, and what is said where something else is given."""

from __future__ import annotations

import pytest

from lightning_gan import InputError
from lightning_gan.components.taking import Taken, make


class Base:
    def __init__(self, weight: float = 1.0, *, interval: int = 1):
        self.weight, self.interval = weight, interval


class Inherits(Base):
    pass


class HandsOn(Base):
    def __init__(self, margin, **options):
        super().__init__(**options)
        self.margin = margin


class Further(HandsOn):
    def __init__(self, *, weight=2.0, **others):
        super().__init__(weight=weight, **others)


class Fixed(HandsOn):
    """Gives one of those that it hands on itself."""

    def __init__(self, **others):
        super().__init__(margin=3, **others)


class Open:
    def __init__(self, first, **rest):
        self.rest = rest


@pytest.mark.parametrize(
    ("cls", "names", "required", "is_open"),
    [
        (Base, ["weight", "interval"], [], False),
        (Inherits, ["weight", "interval"], [], False),
        (HandsOn, ["margin", "weight", "interval"], ["margin"], True),
        (Further, ["weight", "margin", "interval"], [], True),
        (Open, ["first"], ["first"], True),
        (object, [], [], False),
    ],
)
def test_arguments_handed_on_are_known(cls, names, required, is_open):
    taken = Taken(cls)
    assert (taken.names, taken.required, taken.is_open) == (names, required, is_open)


@pytest.mark.parametrize(
    ("cls", "given", "sentence"),
    [
        (Base, {"wieght": 1}, "term has no argument 'wieght', did you mean 'weight'"),
        (Inherits, {"zzz": 1}, "has no argument 'zzz'. It takes weight, interval"),
        (HandsOn, {"weight": 1}, "term needs the argument 'margin'. It takes margin, weight"),
        (Open, {"second": 1}, "term needs the argument 'first'. It takes first"),
    ],
)
def test_other_names_are_refused_before_anything_runs(cls, given, sentence):
    with pytest.raises(InputError, match=sentence):
        make("term", cls, given)


def test_the_object_is_made():
    assert make("term", Further, {"margin": 3, "interval": 2}).interval == 2
    assert make("term", Fixed, {"interval": 2}).margin == 3
    assert make("term", Open, {"first": 1, "second": 2}).rest == {"second": 2}
