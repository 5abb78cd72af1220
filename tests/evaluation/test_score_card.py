"""Score cards as files, and side by side."""

from __future__ import annotations

import json
import math

import pytest

from lightning_gan.errors import InputError
from lightning_gan.evaluation import ScoreCard, compare
from lightning_gan.evaluation import scores as scores_of

PROTOCOL = {
    "n_fake": 100,
    "n_real": 100,
    "split": "train",
    "seed": 0,
    "data": {"class": "a.b.Digits", "sha256": "ab" * 32},
    "features": {"name": "judge", "test_accuracy": 0.985},
    "metrics": {"fid": {}, "kid": {"subsets": 5}},
    "generator": {"weights": "averaged", "labels": None},
    "versions": {"torch": "2.8.0"},
}


def card(scores=None, **changes):
    """A card whose protocol differs in some dotted keys; ``a__b`` stands for ``a.b``."""
    protocol = json.loads(json.dumps(PROTOCOL))
    for key, value in changes.items():
        *parents, last = key.split("__")
        node = protocol
        for parent in parents:
            node = node[parent]
        node[last] = value
    return ScoreCard({"fid": 2.0} if scores is None else scores, protocol)


def refusal(*cards):
    with pytest.raises(InputError) as caught:
        compare(*cards)
    return str(caught.value)


# Files ------------------------------------------------------------------------------------------


def test_a_card_survives_its_file(tmp_path):
    scores = {"fid": 1.25, "kid": math.inf, "kid_std": -math.inf}
    written = ScoreCard(scores, PROTOCOL, {"class_histogram": [3, 4]}, {"step": 7})
    path = written.save(tmp_path / "cards" / "a.json")
    assert ScoreCard.load(path) == written
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


def test_the_file_is_json_that_everyone_reads(tmp_path):
    path = ScoreCard({"fid": math.nan, "kl": 0.5}, {}, {"means": [math.nan, 1.0]}).save(
        tmp_path / "a"
    )

    def refuse(name):
        raise AssertionError(name)

    content = json.loads(path.read_text(), parse_constant=refuse)
    assert content["format"] == 1
    assert content["scores"] == {"fid": None, "kl": 0.5}
    assert content["notes"] == {"fid": "nan"}
    assert content["details"] == {"means": [None, 1.0]}
    assert math.isnan(ScoreCard.load(path).scores["fid"])


def test_a_card_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = card().save(tmp_path / "a.json")
    before = path.read_bytes()
    with pytest.raises(TypeError):
        ScoreCard({"fid": 1.0}, {"prior": object()}).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_no_such_card(tmp_path):
    card().save(tmp_path / "last.json")
    with pytest.raises(InputError) as caught:
        ScoreCard.load(tmp_path / "lst.json")
    assert str(caught.value) == (
        f"no score card at {tmp_path}/lst.json, did you mean '{tmp_path}/last.json'?"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON or is damaged: evaluate the checkpoint again"),
        ("[]", "is not a score card: lightning-gan evaluate writes them"),
        ('{"format": 1, "scores": {}}', "is not a score card: lightning-gan evaluate writes them"),
        (
            '{"format": 1, "scores": {"fid": "x"}, "details": {}, "protocol": {}, '
            '"checkpoint": {}}',
            "is damaged: a score is not a number; evaluate the checkpoint again",
        ),
        (
            '{"format": 1, "scores": {"fid": null}, "details": {}, "protocol": {}, '
            '"checkpoint": {}}',
            "is damaged: a score is not a number; evaluate the checkpoint again",
        ),
        (
            '{"format": 9, "scores": {}, "details": {}, "protocol": {}, "checkpoint": {}}',
            "has the format 9 of a newer lightning-gan, and this one reads 1; "
            "try: pip install --upgrade lightning-gan",
        ),
    ],
)
def test_a_file_that_is_no_card(content, message, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        ScoreCard.load(path)
    assert str(caught.value) == f"{path} {message}"


def test_a_card_tells_its_scores_and_how_they_were_measured():
    found = card({"fid": 2.0, "kid": 0.5, "kid_std": 0.25, "kl": 0.5, "kl_low": 0.25, "kl_high": 1})
    assert found.table().splitlines() == [
        "score  value          better",
        "----------------------------",
        "fid    2              lower",
        "kid    0.5 ± 0.25     lower",
        "kl     0.5 [0.25, 1]  lower",
    ]
    assert found.summary() == (
        "100 samples (averaged weights, seed 0) against 100 train images of Digits; "
        "features: judge, 98.50% right on test images"
    )


# Side by side -----------------------------------------------------------------------------------


def test_scores_side_by_side():
    a = card({"fid": 2.0, "recall": 0.5, "class_entropy_of_moons": 1.0})
    b = card({"fid": 1.5, "recall": 0.5, "class_entropy_of_moons": 2.0, "kl": 0.1})
    assert compare(a, b).text().splitlines() == [
        "score                   A    B    B - A  better",
        "-----------------------------------------------",
        "fid                     2    1.5  -0.5   B",
        "recall                  0.5  0.5  +0",
        "class_entropy_of_moons  1    2    +1",
        "kl                      -    0.1",
    ]


@pytest.mark.parametrize(
    ("name", "values", "place"),
    [
        ("fid", (1.0, 2.0), 0),
        ("recall", (0.1, 0.2), 1),
        ("nearest_train_distance", (0.5, 1.4), 1),
        ("fid", (math.nan, 2.0), None),
        ("fid", (math.nan, 2.0, 3.0), 1),
        ("fid", (2.0, None), None),
        ("fid", (2.0, 2.0), None),
        ("total_variation_noise", (1.0, 2.0), None),
    ],
)
def test_which_is_better(name, values, place):
    cards = [card({} if value is None else {name: value}) for value in values]
    assert compare(*cards).rows[0].better == place


def test_intervals_that_overlap_are_said_to():
    a = {"kl": 0.2, "kl_low": 0.1, "kl_high": 0.3}
    b = {"kl": 0.1, "kl_low": 0.05, "kl_high": 0.15}
    apart = {"kl": 0.01, "kl_low": 0.0, "kl_high": 0.04}
    assert compare(card(a), card(b)).rows[0].overlaps
    assert not compare(card(a), card(apart)).rows[0].overlaps
    assert "B (intervals overlap)" in compare(card(a), card(b)).text()


def test_many_cards_have_a_best_one():
    lines = compare(*(card({"fid": fid}) for fid in (3.0, 1.0, 2.0))).text().splitlines()
    assert [line.split() for line in lines[::2]] == [
        ["score", "A", "B", "C", "better"],
        ["fid", "3", "1", "2", "B"],
    ]


def test_cards_that_were_not_measured_alike_are_refused():
    other = card(n_fake=50, data__sha256="cd" * 32, metrics__kid={"subsets": 9}, split="test")
    assert refusal(card(), other) == (
        "the cards were not measured alike, so their scores cannot be compared: "
        "n_fake is 100 on A, 50 on B; split is train on A, test on B; "
        "data.sha256 is abababababab on A, cdcdcdcdcdcd on B; "
        "metrics.kid.subsets is 5 on A, 9 on B: evaluate again with the same settings"
    )


def test_a_key_that_only_one_card_has_is_a_difference():
    assert "features.resize is absent on A, bilinear on B" in refusal(
        card(), card(features={**PROTOCOL["features"], "resize": "bilinear"})
    )


def test_generator_seed_and_versions_may_differ_and_are_noted():
    other = card(seed=1, generator__weights="trained", versions__torch="2.9.0")
    comparison = compare(card(), other)
    assert comparison.notes == (
        "seed is 0 on A, 1 on B",
        "generator.weights is averaged on A, trained on B",
        "versions.torch is 2.8.0 on A, 2.9.0 on B",
    )
    assert comparison.text().splitlines()[-1] == ("note: versions.torch is 2.8.0 on A, 2.9.0 on B")


def test_a_metric_may_be_on_one_card_only():
    other = card({"fid": 1.0}, metrics={"fid": {}, "precision_recall": {"k": 3}})
    assert compare(card(), other).rows[0].better == 1


def test_one_card_is_no_comparison():
    assert refusal(card()) == "a comparison needs two score cards or more, got 1"


def test_the_direction_of_an_unknown_score_is_not_guessed():
    assert scores_of.direction("brightness") == "neither"
