from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from lightning_gan.callbacks.pictures import class_histogram as room
from lightning_gan.callbacks.pictures.class_histogram import class_histogram, class_sharpness
from lightning_gan.errors import InputError


@pytest.fixture
def figures(monkeypatch):
    made, new = [], room.new_figure

    def keep(*size):
        made.append(new(*size))
        return made[-1]

    monkeypatch.setattr(room, "new_figure", keep)
    return made


def test_picture_has_bars_intervals_and_expectation(figures):
    shares = torch.tensor([0.2, 0.5, 0.3])
    picture = class_histogram(shares, shares - 0.05, shares + 0.1, expected=1 / 3)
    assert picture.shape == (3, 400, 800)
    assert picture.dtype == torch.uint8
    assert picture.float().std() > 5
    [axes] = figures[0].axes
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([0.2, 0.5, 0.3])
    intervals, expected = axes.collections
    segments = np.array(intervals.get_segments())
    np.testing.assert_allclose(segments[:, :, 1], [[0.15, 0.3], [0.45, 0.6], [0.25, 0.4]])
    assert np.allclose([line[:, 1] for line in expected.get_segments()], 1 / 3)
    texts = {text.get_text() for text in axes.get_legend().get_texts()}
    assert texts == {"generated", "confidence interval", "expected"}
    assert [int(tick) for tick in axes.get_xticks()] == [0, 1, 2]


def test_each_class_may_have_its_own_expectation(figures):
    class_histogram([0.5, 0.5], [0.4, 0.4], [0.6, 0.6], expected=[0.3, 0.7])
    expected = figures[0].axes[0].collections[-1]
    assert [line[0, 1] for line in expected.get_segments()] == [0.3, 0.7]


def test_many_classes_get_a_wider_picture_and_fewer_numbers(figures):
    share = [0.01] * 100
    assert class_histogram(share, share, share, expected=0.01).shape == (3, 400, 2000)
    assert len(figures[0].axes[0].get_xticks()) == 20
    share = [0.001] * 1000
    assert class_histogram(share, share, share, expected=0.001).shape == (3, 400, 4000)


def test_a_share_outside_its_interval_is_drawn():
    assert class_histogram([0.0, 1.0], [0.1, 0.8], [0.2, 0.9], expected=0.5).shape[0] == 3


@pytest.mark.parametrize(
    ("shares", "low", "expected"), [([], [], 0.1), ([0.5, 0.5], [0.1], 0.5), ([1.0], [1.0], [1, 2])]
)
def test_shapes_that_differ_are_refused(shares, low, expected):
    message = r"class_histogram expects shares, low and high of one shape \(K,\), got \(\d,\), "
    with pytest.raises(InputError, match=message):
        class_histogram(shares, low, shares, expected)


def test_sharpness_has_bars_and_dots_and_a_gap_for_a_class_never_seen(figures):
    picture = class_sharpness([0.9, None, 0.5], torch.tensor([0.8, math.nan, 1.0]))
    assert picture.shape == (3, 400, 800)
    assert picture.dtype == torch.uint8
    [axes] = figures[0].axes
    np.testing.assert_equal([bar.get_height() for bar in axes.patches], [0.9, np.nan, 0.5])
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.8, np.nan, 1.0])
    assert axes.get_ylim() == (0, 1)
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["share surer than 0.95", "mean margin"]
    blue = (picture[2].int() - picture[0].int() > 60).any(dim=0)
    place = [int(axes.transData.transform((c, 0))[0]) for c in range(3)]
    assert [bool(blue[x]) for x in place] == [True, False, True]


def test_no_class_seen_at_all_is_an_empty_picture():
    assert class_sharpness([None] * 2, [None] * 2).shape == (3, 400, 800)


@pytest.mark.parametrize(("margins", "above"), [([], []), ([0.5], [0.5, 0.5]), ([[0.5]], [[0.5]])])
def test_sharpness_of_shapes_that_differ_is_refused(margins, above):
    message = r"class_sharpness expects margins and above_95 of one shape \(K,\), got \("
    with pytest.raises(InputError, match=message):
        class_sharpness(margins, above)


def test_no_global_figure_is_left():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    class_histogram([1.0], [0.9], [1.0], expected=1.0)
    assert plt.get_fignums() == before
    assert isinstance(room.new_figure(10, 10), Figure)
