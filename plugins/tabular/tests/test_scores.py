"""Distances of tables that are known."""

import numpy as np
import pandas as pd
import pytest
from lightning_gan_tabular import distances, usefulness

from lightning_gan import InputError


def test_a_table_is_like_itself(frame):
    found = distances(frame, frame)
    assert set(found.columns) == set(frame)
    assert len(found.pairs) == 7 * 6 / 2
    assert found.column == found.pair == 0


def test_distances_of_columns_are_known():
    real = pd.DataFrame({"x": np.arange(100), "c": ["a"] * 60 + ["b"] * 40})
    other = pd.DataFrame({"x": np.arange(100) + 50, "c": ["a"] * 30 + ["c"] * 70})
    found = distances(real, other).columns
    assert found["x"] == pytest.approx(0.5)  # half of the mass has moved beyond
    assert found["c"] == pytest.approx(0.7)
    gaps = other.assign(x=np.where(np.arange(100) < 80, np.nan, real["x"]))
    assert distances(real, gaps).columns["x"] == pytest.approx(0.8)  # missing in 80 of 100


def test_distances_of_pairs_are_known():
    x = np.repeat([0.5, 1.5], 50)
    real = pd.DataFrame({"x": x, "y": x, "c": ["a"] * 50 + ["b"] * 50})
    turned = pd.DataFrame({"x": x, "y": x[::-1], "c": ["b"] * 50 + ["a"] * 50})
    found = distances(real, turned)
    assert found.column == 0
    assert found.pairs["x", "y"] == pytest.approx(1.0)  # correlation 1 and -1
    assert found.pairs["x", "c"] == pytest.approx(1.0)
    mixed = turned.assign(c=["a", "b"] * 50)
    assert distances(real, mixed).pairs["x", "c"] == pytest.approx(0.5)


def test_what_a_model_learns_from_a_table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    good = pd.DataFrame({"x": x, "y": np.where(x > 0, "high", "low"), "z": 2 * x})
    bad = good.assign(y=rng.permutation(good["y"]))
    test = good[:100]
    assert usefulness(good[100:], test, "y") > 0.95
    assert usefulness(bad[100:], test, "y") < 0.75
    assert usefulness(good[100:], test, "z") > 0.9
    assert usefulness(good[100:].assign(z=rng.permutation(2 * x[100:])), test, "z") < 0.2


def test_what_cannot_be_compared_is_said(frame):
    with pytest.raises(InputError, match="no column in common"):
        distances(frame[["age"]], frame[["day"]])
    with pytest.raises(InputError, match="'age' is not in both"):
        usefulness(frame.drop(columns="age"), frame, "city")
    with pytest.raises(InputError, match="'height' has missing values"):
        usefulness(frame, frame, "height")
