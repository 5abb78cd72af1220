"""What objects say of their arguments, in the words of the settings."""

from __future__ import annotations

import pytest

from lightning_gan import InputError
from lightning_gan.cli.settings.words import explained_by, in_settings, short


class Data:
    def __init__(self, batch_size=1, root="."):
        self.batch_size, self.root = batch_size, root

    def setup(self):
        self.read()

    def read(self):
        raise InputError(f"root {self.root} is empty: set root to a folder, or batch_size to 1")


class Deputy:
    """Acts for another, whose arguments are meant."""

    def __init__(self, owner):
        self.acts_for = owner

    def act(self):
        raise InputError("root is not here")


class Model:
    def __init__(self, data):
        self.data = data

    def fit(self):
        self.data.setup()

    def fail(self):
        raise InputError("root of nothing")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("batch_size must be positive", "data.batch_size must be positive"),
        ("set root to x (root=here)", "set data.root to x (data.root=here)"),
        ("the roots are deep, in root /a", "the roots are deep, in data.root /a"),
        ("rooted", "data: rooted"),
        ("call root() for it", "data: call root() for it"),
    ],
)
def test_arguments_get_their_key(text, said):
    assert in_settings(text, "data", Data) == said


def test_arguments_that_are_handed_on_get_their_key_too():
    class Handing(Data):
        def __init__(self, channels=1, **options):
            super().__init__(**options)

    class Own(Data):
        def __init__(self, channels=1):
            super().__init__()

    said = "set channels to 1, or batch_size to 2"
    assert in_settings(said, "d", Handing) == "set d.channels to 1, or d.batch_size to 2"
    assert in_settings(said, "d", Own) == "set d.channels to 1, or batch_size to 2"


def explained(act, owners):
    with pytest.raises(InputError) as caught:
        act()
    return str(explained_by(caught.value, owners))


def test_who_raised_an_error_is_found_on_its_way():
    data = Data(root="here")
    model = Model(data)
    spoken = "data.root here is empty: set data.root to a folder, or data.batch_size to 1"
    assert explained(model.fit, {"data": data}) == spoken
    assert explained(model.fit, {"model": model, "data": data}) == spoken
    assert explained(model.fail, {"data": data}) == "root of nothing"
    assert explained(model.fail, {"data": None}) == "root of nothing"
    assert explained(Deputy(data).act, {"data": data}) == "data.root is not here"


def test_files_that_are_absent_when_training_starts(command, tmp_path):
    done = command(f"fit data=mnist data.root={tmp_path} data.download=false")
    assert done.code == 2
    assert done.error.startswith(f"MNIST is not in data.root {tmp_path}")
    assert "or set data.root to the folder" in done.error


def test_a_long_message_of_somebody_else_is_cut():
    assert short(ValueError("a\n b")) == "a b"
    assert len(short(ValueError("x" * 400))) == 303
    assert len(short(InputError("x" * 400))) == 400
