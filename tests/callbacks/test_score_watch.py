"""Which score is the best, when it is enough, and what counts as an explosion: closed forms."""

from __future__ import annotations

import math

import pytest

from lightning_gan.callbacks.score_watch import ScoreWatch


def noted(watch, *scores):
    """Note scores at steps 1, 2, ...; return the steps at which there was a new best."""
    return [step for step, score in enumerate(scores, 1) if watch.note(step, score)]


@pytest.mark.parametrize(
    ("mode", "scores", "bests"),
    [
        ("min", [3.0, 4.0, 2.0, 2.0, 1.0], [1, 3, 5]),
        ("max", [3.0, 4.0, 2.0, 4.0, 5.0], [1, 2, 5]),
        ("near 1", [0.2, 1.5, 1.5, 0.9, 1.1], [1, 2, 4]),
        ("min", [-1.0, -2.0, 0.0], [1, 2]),
        ("min", [math.nan, 3.0, -math.inf, 2.0], [2, 4]),
    ],
)
def test_the_best_is_the_first_of_the_best(mode, scores, bests):
    watch = ScoreWatch(mode)
    assert noted(watch, *scores) == bests
    assert (watch.best, watch.step) == (scores[bests[-1] - 1], bests[-1])


def test_patience_counts_scores_since_the_last_progress():
    watch = ScoreWatch("min", patience=3)
    noted(watch, 5.0, 6.0, 6.0, 4.0, 4.0, 4.5)
    assert (watch.waited, watch.ends) == (2, None)
    noted(watch, 4.1)
    assert (watch.waited, watch.ends) == (3, "patience")


def test_small_steps_are_the_best_but_no_progress_until_they_add_up():
    watch = ScoreWatch("min", patience=5, min_delta=1.0)
    waited = []
    for step, score in enumerate([10.0, 9.5, 9.0, 8.5, 8.5], 1):
        watch.note(step, score)
        waited.append(watch.waited)
    assert waited == [0, 1, 2, 0, 1]  # 8.5 is more than 1 below 10, and 9.0 is not
    assert (watch.best, watch.step) == (8.5, 4)


def test_a_score_that_is_not_finite_is_waited_through():
    watch = ScoreWatch("min", patience=2, explosion=None)
    noted(watch, 1.0, math.nan, math.inf)
    assert watch.ends == "patience"


@pytest.mark.parametrize(
    ("mode", "scores", "ends"),
    [
        ("min", [200, 10, 105.1, 105.1], "explosion"),  # half of what was won is 105
        ("min", [200, 10, 104.9, 104.9], None),
        ("min", [8, 5, 24, 24], None),  # not five times as large
        ("min", [8, 5, 25.1, 25.1], "explosion"),
        ("min", [8, 5, 26, 6, 26], None),  # not in a row
        ("min", [5, 100, 100], "explosion"),  # the first is the best
        ("min", [0.2, 0.0, 0.02, 0.02], None),  # noise beside a best of 0
        ("min", [0.2, -0.001, 0.15, 0.15], "explosion"),
        ("max", [0.1, 0.9, 0.17, 0.17], "explosion"),
        ("max", [0.1, 0.9, 0.19, 0.19], None),
        ("near 1", [0.0, 0.9, 3.0, 0.4], "explosion"),
        ("min", [5, math.nan, math.inf], "explosion"),
        ("min", [math.nan, math.nan, math.nan], None),  # there was no good phase
    ],
)
def test_an_explosion_is_many_times_worse_and_most_of_what_was_won(mode, scores, ends):
    watch = ScoreWatch(mode, explosion=5.0, explosion_patience=2)
    noted(watch, *map(float, scores))
    assert watch.ends == ends


def test_no_explosions_where_they_are_switched_off():
    watch = ScoreWatch("min", explosion=None, explosion_patience=1)
    noted(watch, 1.0, 1e9, math.nan)
    assert watch.ends is None


def test_a_state_brings_everything_but_the_settings_back():
    scores = [5.0, 3.0, 3.5, 30.0]
    watch, other = ScoreWatch("min", patience=3), ScoreWatch("min", patience=4)
    noted(watch, *scores)
    other.load_state_dict(watch.state_dict())
    for each in (watch, other):
        each.note(5, 3.2)
    assert watch.state_dict() == other.state_dict()
    assert (watch.ends, other.ends) == ("patience", None)
