"""Scalars as functions of images seen, against hand calculations."""

from __future__ import annotations

import math

import pytest

from lightning_gan import InputError
from lightning_gan.components.spec import build
from lightning_gan.schedules import BurnIn, Constant, Cosine, Linear


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (Constant(3.0), {0: 3.0, 10**6: 3.0}),
        (Linear(1.0, 5.0, kimg=2), {0: 1.0, 500: 2.0, 1000: 3.0, 2000: 5.0, 9000: 5.0}),
        (Linear(4.0, 0.0, kimg=1, begin_kimg=3), {0: 4.0, 3000: 4.0, 3500: 2.0, 4000: 0.0}),
        (Cosine(0.0, 1.0, kimg=1), {0: 0.0, 250: (1 - math.sqrt(0.5)) / 2, 500: 0.5, 1000: 1.0}),
        (BurnIn(9.0, 1.0, kimg=2), {0: 9.0, 1999: 9.0, 2000: 1.0, 2001: 1.0}),
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
