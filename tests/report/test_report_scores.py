"""Score cards as tables: which stand together, what tells them apart."""

import math

from lightning_gan.report import score_tables
from lightning_gan.report.records import read_cards


def tables(made):
    return score_tables.tables(read_cards(made.folder)[0])


def test_cards_that_were_measured_alike_stand_together(made):
    made.card(100)
    made.card(200, n_fake=50)
    made.card(300)
    first, second = tables(made)
    assert [one.label for one in first.columns] == ["300", "100"]
    assert [one.label for one in second.columns] == ["200"]
    assert (first.differs, second.differs) == ("n_fake 1,000", "n_fake 50")


def test_rows_have_intervals_and_the_direction_that_is_better(made):
    made.card(100, scores={"kl": 0.25, "kl_low": 0.2, "kl_high": 0.3, "own": 7.0, "fid": math.nan})
    made.card(200, scores={"kl": 0.5})
    ((table,),) = (tables(made),)
    assert [(row.name, row.better, row.cells) for row in table.rows] == [
        ("kl", "lower", ("0.5", "0.25 [0.2, 0.3]")),
        ("own", "", ("-", "7")),
        ("fid", "lower", ("-", "nan")),
    ]


def test_a_score_measured_at_two_steps_has_a_curve(made):
    made.card(100, scores={"fid": 3.0, "own": 1.0, "kl": math.inf})
    made.card(200, scores={"fid": 2.0, "kl": 1.0})
    ((table,),) = (tables(made),)
    assert [(one.title, one.lines[0].values) for one in table.panels] == [
        ("fid", "3,2"),
        ("kl", ",1"),
    ]


def test_the_newest_eight_are_columns_and_all_are_drawn(made):
    for step in range(1, 13):
        made.card(step)
    ((table,),) = (tables(made),)
    assert [one.step for one in table.columns] == list(range(12, 4, -1))
    assert table.total == 12
    assert table.panels[0].lines[0].steps == ",".join(map(str, range(1, 13)))


def test_lists_of_counts_are_bars_and_other_details_a_tree(made):
    details = {"counts": [5, 10, 0], "signed": [-1, 2], "words": ["a", "b"], "one": [3]}
    made.card(100, details={**details, "zeros": [0, 0], "truths": [True, False]})
    ((table,),) = (tables(made),)
    assert [(key, [(bar.value, bar.height) for bar in bars]) for key, bars in table.bars] == [
        ("counts", [("5", 50.0), ("10", 100.0), ("0", 0.0)]),
        ("zeros", [("0", 0.0), ("0", 0.0)]),
    ]
    assert [node.key for node in table.details] == ["signed", "words", "one", "truths"]


def test_highlights_are_finite_scores(made):
    made.card(100, scores={"fid": math.nan, "kl": 0.25, "kl_low": 0.2, "kl_high": 0.3, "own": 7.0})
    ((measured,), _) = read_cards(made.folder)
    assert score_tables.highlights(measured, 6) == [("kl", "0.25", "lower"), ("own", "7", "")]


def test_a_protocol_too_deep_to_compare_stands_alone(made):
    deep = {}
    for _ in range(30):
        deep = {"a": deep}
    made.card(100)
    path = made.card(200)
    text = path.read_text().replace('"n_fake": 1000', '"n_fake": ' + str(deep).replace("'", '"'))
    path.write_text(text)
    first, second = tables(made)
    assert (first.protocol, first.differs) == (None, "")
    assert second.protocol is not None
