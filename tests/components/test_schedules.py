"""Scalars as functions of images seen, against hand calculations."""

from __future__ import annotations

import math

import pytest

import lightning_gan.schedules
from lightning_gan import InputError, create_schedule
from lightning_gan.components.spec import build
from lightning_gan.schedules import BurnIn, Constant, Cosine, Linear, Piecewise, Step


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (Constant(3.0), {0: 3.0, 10**6: 3.0}),
        (Linear(1.0, 5.0, kimg=2), {0: 1.0, 500: 2.0, 1000: 3.0, 2000: 5.0, 9000: 5.0}),
        (Linear(4.0, 0.0, kimg=1, begin_kimg=3), {0: 4.0, 3000: 4.0, 3500: 2.0, 4000: 0.0}),
        (Cosine(0.0, 1.0, kimg=1), {0: 0.0, 250: (1 - math.sqrt(0.5)) / 2, 500: 0.5, 1000: 1.0}),
        (BurnIn(9.0, 1.0, kimg=2), {0: 9.0, 1999: 9.0, 2000: 1.0, 2001: 1.0}),
        (Step(8.0, 0.5, kimg=0.1), {0: 8.0, 99: 8.0, 100: 4.0, 300: 1.0, 10**9: 0.0}),
        (Step(1.0, 10.0, kimg=1, most=2), {999: 1.0, 1000: 10.0, 2000: 100.0, 9000: 100.0}),
        (Piecewise([[0.5, 4.0]]), {0: 4.0, 500: 4.0, 10**6: 4.0}),
        (
            Piecewise([[0, 0], [2, 1.0], [3, 0.25]]),
            {0: 0.0, 1999: 0.0, 2000: 1.0, 2999: 1.0, 3000: 0.25, 9000: 0.25},
        ),
        (
            Piecewise([[1, 2.0], [2, 6.0], [4, 0.0]], interpolation="linear"),
            {0: 2.0, 1000: 2.0, 1250: 3.0, 2000: 6.0, 3000: 3.0, 4000: 0.0, 9000: 0.0},
        ),
    ],
)
def test_values(schedule, values):
    restored = build(schedule.spec())
    for images, value in values.items():
        assert schedule.at(images) == pytest.approx(value)
        assert restored.at(images) == schedule.at(images)


@pytest.mark.parametrize("arguments", [{"kimg": 0}, {"kimg": -1}, {"kimg": 1, "begin_kimg": -1}])
def test_bad_spans_are_refused(arguments):
    with pytest.raises(InputError, match="kimg must be positive and begin_kimg 0 or more"):
        Linear(0.0, 1.0, **arguments)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"factor": 0.5, "kimg": 0}, "kimg must be positive, got 0"),
        ({"factor": 2.0, "kimg": 1}, r"factor must lie in \[0, 1\] where steps never end, got 2.0"),
        (
            {"factor": 2.0, "kimg": 1, "most": -1},
            "most must be a whole number from 0, or null",
        ),
    ],
)
def test_bad_steps_are_refused(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        Step(1.0, **arguments)


PAIRS = r"knots must be a list of pairs of finite numbers \[kimg, value\], such as "


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"knots": []}, PAIRS + r"\[\[0, 0.0\], \[20, 1.0\]\], got \[\]"),
        ({"knots": 3}, PAIRS + ".*got 3"),
        ({"knots": [[0]]}, PAIRS + r".*got \[\[0\]\]"),
        ({"knots": [[0, 1], 5]}, PAIRS + r".*got \[\[0, 1\], 5\]"),
        ({"knots": [[0, "1"]]}, PAIRS + r".*got \[\[0, '1'\]\]"),
        ({"knots": [[0, math.nan]]}, PAIRS + r".*got \[\[0, nan\]\]"),
        ({"knots": [[-1, 0]]}, r"kimg of the knots must be 0 or more and grow, got \[-1.0\]"),
        (
            {"knots": [[0, 0], [2, 1], [2, 0]]},
            r"kimg of the knots must be 0 or more and grow, got \[0.0, 2.0, 2.0\]",
        ),
        (
            {"knots": [[0, 0]], "interpolation": "cubic"},
            "interpolation must be 'constant' or 'linear', got 'cubic'",
        ),
    ],
)
def test_bad_knots_are_refused(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        Piecewise(**arguments)


def test_schedules_by_name_and_by_class():
    assert create_schedule("cosine", start=1.0, end=0.0, kimg=1).at(500) == pytest.approx(0.5)
    for name in lightning_gan.schedules.__all__:
        assert getattr(lightning_gan.schedules, name).__name__ == name
    assert dir(lightning_gan.schedules) == lightning_gan.schedules.__all__
    with pytest.raises(AttributeError, match="no attribute 'Sine'"):
        lightning_gan.schedules.Sine  # noqa: B018
