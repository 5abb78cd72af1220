"""Curves as drawings: where points lie, what is kept, what is left out and said."""

import re

import numpy as np
import pytest

from lightning_gan.report import curves
from lightning_gan.report.curves import LARGE, panel, panels
from lightning_gan.report.metrics import Series
from lightning_gan.report.thinning import spread


def series(values, key="a", steps=None):
    steps = np.arange(len(values)) if steps is None else steps
    return Series(key, np.array(steps, dtype=float), np.array(values, dtype=float))


def drawn(*values, last=None):
    whole = [series(one, key=f"p/{number}") for number, one in enumerate(values)]
    return panel("p", whole, LARGE, (0.0, last or len(values[0]) - 1.0))


def places(path):
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)]


def test_points_lie_where_the_ticks_say():
    found = drawn([0.0, 5.0, 10.0])
    (line,) = found.lines
    y_at = {tick.label: tick.at for tick in found.y_ticks}
    x_at = {tick.label: tick.at for tick in found.x_ticks}
    expected = [(x_at["0"], y_at["0"]), (x_at["1"], y_at["5"]), (x_at["2"], y_at["10"])]
    assert np.allclose(places(line.path), expected, atol=0.11)
    assert (line.name, line.steps, line.values, line.last) == ("0", "0,1,2", "0,5,10", "10")
    assert line.path.count("M") == 1
    assert line.dots.count("M") == 3


def test_a_gap_interrupts_the_curve_and_is_said():
    found = drawn([1.0, np.nan, 2.0, 3.0, np.nan])
    (line,) = found.lines
    assert line.path.count("M") == 2
    assert line.values == "1,,2,3,"
    assert line.last == "not finite"
    assert found.notes == ("Not finite: 2 of 5 values.",)


def test_a_wide_range_of_positive_values_is_logarithmic():
    found = drawn(np.geomspace(1e-3, 1e3, 7))
    assert found.notes == ("Logarithmic axis.",)
    heights = [y for _, y in places(found.lines[0].path)]
    assert np.allclose(np.diff(heights), np.diff(heights)[0], atol=0.15)
    labels = {tick.label for tick in found.y_ticks}  # which of them differs between matplotlibs
    assert len(labels) >= 3
    assert labels <= {"0.001", "0.01", "0.1", "1", "10", "100", "1000"}


def test_one_spike_does_not_flatten_the_rest():
    values = np.sin(np.arange(1000))
    values[500] = 1e6
    found = drawn(values)
    assert found.notes == (
        f"The axis leaves out extremes: the values reach from {values.min():.4g} to 1e+06.",
    )
    heights = [y for _, y in places(found.lines[0].path)]
    assert min(heights) == LARGE.top
    assert np.percentile(heights, 95) - np.percentile(heights, 5) > 60


def test_a_long_curve_keeps_its_extremes_its_gaps_and_its_ends():
    values = np.linspace(0, 1, 100_000)
    values[777], values[54_321], values[60_000] = 9.0, -9.0, np.nan
    (line,) = drawn(values).lines
    steps = line.steps.split(",")
    kept = dict(zip(steps, line.values.split(","), strict=True))
    assert len(steps) <= 3 * curves.PIECES + 2
    assert (kept["777"], kept["54321"], kept["60000"]) == ("9", "-9", "")
    assert (steps[0], steps[-1]) == ("0", "99999")
    assert sum(int(step) < 1000 for step in steps) > 50  # dense where training changes fastest
    assert line.trend.count("L") == curves.TREND_PIECES - 1


def test_a_trend_has_no_value_where_nothing_is_known():
    values = np.ones(600)
    values[200:400] = np.nan
    (line,) = drawn(values).lines
    assert line.trend.count("M") == 2


@pytest.mark.parametrize(
    "values",
    [
        [0.0], [np.nan], [5.0, 5.0], [-3.0] * 4, [1e-320, 1.0], [-1e299, 1e299], [1e299, 1e299],
        [1e-9, 2e-9], [1e15, 1e15 + 1], [0.0] * 99 + [1.0],
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("last", [0.0, 1.0, 1e12])
def test_any_values_have_a_drawing_inside_its_edges(values, last):
    whole = series(values, steps=np.linspace(0, last, len(values)))
    found = panel("a", [whole], LARGE, (0.0, last))
    for x, y in places(found.lines[0].path):
        assert LARGE.left - 0.1 <= x <= LARGE.right + 0.1
        assert LARGE.top - 0.1 <= y <= LARGE.bottom + 0.1
    assert len(found.y_ticks) <= 12
    assert len(found.x_ticks) <= 12


def test_keys_that_share_a_scale_share_a_panel():
    keys = [
        "health/spread", "val/fid", "val/loss/generator", "loss/generator", "lr-Adam",
        "progress/images", "loss/discriminator", "regularizer/r1", "regularizer/lecam",
    ]  # fmt: skip
    found, notes = panels({key: series([1.0, 2.0], key=key) for key in keys})
    assert [(one.title, [line.name for line in one.lines]) for one in found] == [
        ("loss", ["discriminator", "generator"]),
        ("regularizer/lecam", ["regularizer/lecam"]),
        ("regularizer/r1", ["regularizer/r1"]),
        ("val/fid", ["val/fid"]),
        ("val/loss", ["generator"]),
        ("health/spread", ["health/spread"]),
        ("lr-Adam", ["lr-Adam"]),
    ]
    assert notes == []


def test_all_panels_have_the_same_steps():
    found, _ = panels({"a": series([1.0] * 9, key="a"), "b": series([1.0], key="b", steps=[4])})
    assert {(one.first, one.last) for one in found} == {(0.0, 8.0)}


def test_too_many_curves_are_counted():
    many = {f"k{number:02}": series([1.0], key=f"k{number:02}") for number in range(63)}
    found, notes = panels(many)
    assert len(found) == 60
    assert notes == ["3 more curves are in metrics.csv."]


@pytest.mark.parametrize("n", [1, 2, 39, 40, 41, 70, 1000, 10**6])
def test_a_spread_is_in_order_and_keeps_both_ends(n):
    kept = spread(n, 40)
    assert kept == sorted(set(kept))
    assert (kept[0], kept[-1]) == (0, n - 1)
    assert min(n, 30) <= len(kept) <= 41
