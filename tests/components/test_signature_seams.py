"""The private name of jsonargparse does what it is taken for; with a public one it may go."""

from __future__ import annotations

import inspect

import jsonargparse

from lightning_gan.components.signature_seams import parameters_of


class Base:
    def __init__(self, size: int, names: list[str] | None = None, *, free=3): ...


class Taking(Base):
    """Takes.

    Args:
        more: How many
            more.
    """

    def __init__(self, *args, more: float = 1.0, **kwargs):
        super().__init__(*args, free=4, **kwargs)


def test_parameters_with_types_defaults_and_docs():
    found = {each.name: each for each in parameters_of(Taking)}
    assert list(found) == ["more", "size", "names"]  # free is given already
    assert found["names"].annotation == list[str] | None
    assert found["size"].default is inspect.Parameter.empty
    assert found["more"].doc.split() == ["How", "many", "more."]
    assert not hasattr(jsonargparse, "get_signature_parameters")  # a public name: use it
