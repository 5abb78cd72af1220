"""Alternating against tables written by hand."""

import pytest

from lightning_gan.alternations.alternating import Alternating
from lightning_gan.alternations.base import Alternation
from lightning_gan.errors import InputError
from lightning_gan.types import Player, Progress

LETTERS = {"D": Player.DISCRIMINATOR, "G": Player.GENERATOR}

# (d_steps, g_steps): who steps on each of the first batches.
TABLE = {
    (1, 1): "DG DG DG DG",
    (2, 1): "D DG D DG D",
    (3, 1): "D D DG D D DG",
    (5, 1): "D D D D DG D",
    (1, 2): "DGG DGG DGG",
    (2, 3): "D DGGG D DGGG",
    (0, 1): "G G G",
    (0, 2): "GG GG",
    (1, 0): "D D D",
    (3, 0): "D D D D",
}


@pytest.mark.parametrize(("steps", "batches"), TABLE.items(), ids=str)
def test_table(steps, batches):
    alternation = Alternating(*steps)
    for number, letters in enumerate(batches.split()):
        expected = tuple(LETTERS[letter] for letter in letters)
        assert alternation.phases(Progress(batches=number)) == expected


@pytest.mark.parametrize("steps", [(0, 0), (-1, 1), (1, -1)])
def test_impossible_numbers(steps):
    text = rf"must be 0 or more and not both 0, got {steps[0]} and {steps[1]}"
    with pytest.raises(InputError, match=text):
        Alternating(*steps)


def test_the_base_class_lets_both_step_on_every_batch():
    phases = Alternation().phases(Progress(batches=3))
    assert phases == (Player.DISCRIMINATOR, Player.GENERATOR)
