"""Files to values: metrics, health, settings; whole, cut off, and made to break their readers."""

import json
import math

import numpy as np
import pytest

from lightning_gan.report.metrics import read_metrics
from lightning_gan.report.records import read_cards, read_findings, whole_number
from lightning_gan.report.settings import read_settings
from lightning_gan.report.settings_tree import tree


def points(series):
    return list(zip(series.steps.tolist(), series.values.tolist(), strict=True))


def test_sparse_columns_become_series(made):
    path = made.write("metrics.csv", "epoch,a,step,b\r\n0,1.5,9,\r\n0,,9,2\r\n1,2.5,19,\r\n")
    metrics = read_metrics(path)
    assert {key: points(one) for key, one in metrics.series.items()} == {
        "a": [(9, 1.5), (19, 2.5)],
        "b": [(9, 2.0)],
    }
    assert metrics.last_step == 19
    assert metrics.notes == ()


def test_values_that_are_no_finite_numbers_are_gaps(made):
    path = made.write("metrics.csv", "step,a\n0,1\n1,nan\n2,inf\n3,-inf\n4,1e308\n5,x\n6,7\n")
    series = read_metrics(path).series["a"]
    assert np.isnan(series.values).tolist() == [False, True, True, True, True, True, False]


def test_steps_are_put_in_order(made):
    path = made.write("metrics.csv", "step,a\n20,2\n10,1\n")
    assert points(read_metrics(path).series["a"]) == [(10, 1), (20, 2)]


def test_a_line_that_is_being_written_is_left_out(made):
    path = made.write("metrics.csv", "step,a\n0,1\n10,0.12")
    metrics = read_metrics(path)
    assert points(metrics.series["a"]) == [(0, 1)]
    assert metrics.notes == ("The last line of metrics.csv is incomplete and left out.",)


def test_damaged_lines_are_left_out(made):
    path = made.write("metrics.csv", "step,a\n0,1\n\0\0\0\n5\n6,1,2\nx,1\n10,2\n")
    metrics = read_metrics(path)
    assert points(metrics.series["a"]) == [(0, 1), (10, 2)]
    assert metrics.notes == ("Damaged lines of metrics.csv, left out: 4.",)


@pytest.mark.parametrize("text", ["", "step,a\n", "step,a\n0,\n", "a,b\n1,2\n"])
def test_no_numbers_yet(made, text):
    metrics = read_metrics(made.write("metrics.csv", text))
    assert metrics.series == {}
    assert metrics.last_step is None
    assert metrics.notes == ("metrics.csv holds no numbers yet.",)


def test_metrics_that_no_reader_takes(made):
    path = made.write("metrics.csv", 'step,a\n0,"' + "x" * 200_000 + '"\n')
    assert read_metrics(path).notes == (
        "metrics.csv cannot be read: field larger than field limit (131072).",
    )


def test_cards_come_in_the_order_of_their_steps(made):
    made.card(1000)
    made.card(90)
    made.card(500, checkpoint={"path": "a"})
    cards, notes = read_cards(made.folder)
    assert [one.label for one in cards] == ["step-00000500-1000.json", "90", "1,000"]
    assert notes == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"format": 1, "sco',
        '{"format": 2, "scores": {}, "details": {}, "protocol": {}, "checkpoint": {}}',
        '{"format": 1, "scores": {}}',
        '{"format": 1, "scores": {"a": "<b>"}, "details": {}, "protocol": {}, "checkpoint": {}}',
        '{"format": 1, "scores": {"a": 1' + "0" * 400 + "}, "
        '"details": {}, "protocol": {}, "checkpoint": {}}',
        '{"a":' * 20_000,
    ],
)
def test_what_is_no_card_is_left_out(made, content):
    made.write("scorecards/x.json", content)
    assert read_cards(made.folder) == (
        [],
        ["x.json is damaged or no score card, and left out."],
    )


def test_findings_are_read_line_by_line(made):
    whole = {"step": 5, "finding": "a", "since_step": 1, "message": "m", "advice": "b"}
    lines = [json.dumps(whole), "", "7", '{"step": "x", "numbers": [1]}', '{"step": 1, "fi']
    found, notes = read_findings(made.write("health.jsonl", "\n".join(lines)))
    assert [(one.name, one.step, one.since, one.message) for one in found] == [
        ("a", 5, 1, "m"),
        ("finding", None, None, ""),
    ]
    assert notes == ["Damaged lines of health.jsonl, left out: 2."]


def test_a_step_is_a_whole_number():
    values = (7, 7.0, math.nan, math.inf, 1e99, "7", None)
    assert [whole_number(value) for value in values] == [7, 7, None, None, None, None, None]


def test_settings_say_what_the_header_shows(complete):
    settings = read_settings(complete.folder / "config.yaml")
    assert settings.version == "0.1.0"
    assert settings.experiment == "rings"
    assert settings.max_steps == 800
    assert settings.parts == [
        ("generator", "MLPGenerator"),
        ("regularizer", "R1Regularizer"),
        ("data", "Digits"),
    ]


@pytest.mark.parametrize(
    "text", ["a: [", "- 1\n- 2", "a: 2020-99-99", "[" * 2000, "a: !!python/object:os.system {}"]
)
def test_damaged_settings_are_shown_as_they_are(made, text):
    settings = read_settings(made.write("config.yaml", text))
    assert settings.values == {}
    assert settings.text == text
    assert settings.note == "config.yaml is damaged; this is what it says."


@pytest.mark.parametrize("text", ["trainer: 1", "trainer: {max_steps: x}", "model: [1]\ndata: 2"])
def test_settings_of_another_shape_say_nothing(made, text):
    settings = read_settings(made.write("config.yaml", text))
    assert (settings.max_steps, settings.experiment, settings.parts) == (None, None, [])


def test_a_component_is_one_node():
    (node,) = tree(
        {"loss": {"class_path": "a.B", "init_args": {"x": None}, "dict_kwargs": {"y": 1}}}
    )
    assert (node.key, node.text) == ("loss", "a.B")
    assert [(child.key, child.text, child.is_null) for child in node.children] == [
        ("x", "null", True),
        ("y", "1", False),
    ]


def test_a_mapping_that_only_looks_like_a_component_keeps_its_keys():
    (node,) = tree({"a": {"class_path": "B", "other": 1}})
    assert [child.key for child in node.children] == ["class_path", "other"]


def test_settings_without_an_end_are_no_tree(made):
    import yaml

    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in ("ab", "bc", "cd", "de")
    )
    assert tree(yaml.safe_load(laughs)) is None
    assert tree(yaml.safe_load("a: &a [*a]")) is None
    deep = {}
    for _ in range(30):
        deep = {"a": deep}
    assert tree(deep) is None
    assert tree({"a": {"b": [1, {"c": 2}]}}) is not None
