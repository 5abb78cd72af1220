"""Private names of jsonargparse do what they are taken for; with public ones they may go."""

from __future__ import annotations

from jsonargparse import ArgumentParser

from lightning_gan.cli.seams import actions_of, hint_of


class Taking:
    def __init__(self, size: int, names: list[str] | None = None, free=3): ...


def test_arguments_and_their_types():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Taking, fail_untyped=False)
    found = {action.dest: action for action in actions_of(parser)}
    assert found["size"].required
    assert hint_of(found["names"]) == list[str] | None
    assert found["free"].default == 3
    assert hint_of(found["size"]) is int
    assert not hasattr(parser, "actions")  # a public name: use it
