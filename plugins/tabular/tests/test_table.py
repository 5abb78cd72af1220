"""Kinds of columns, and rows there and back."""

import numpy as np
import pandas as pd
import pytest
from lightning_gan_tabular import Table, read_table, write_table
from scipy.stats import norm

from lightning_gan import InputError


def kinds(frame, **types):
    return {c["name"]: c["kind"] for c in Table.of(pd.DataFrame(frame), types, modes=1).columns}


def test_kinds_are_guessed_and_may_be_said(frame, table):
    assert {c["name"]: c["kind"] for c in table.columns} == {
        "income": "number",
        "city": "category",
        "age": "integer",
        "day": "date",
        "member": "category",
        "height": "number",
        "visits": "integer",
    }
    columns = {
        "few": [1, 2] * 10,
        "many": range(20),
        "gaps": [1.0, None] * 10,
        "dates": ["2024-02-03"] * 20,
        "nearly": ["2024-02-33"] * 20,
    }
    assert kinds(columns) == {
        "few": "category",
        "many": "integer",
        "gaps": "category",
        "dates": "date",
        "nearly": "category",
    }
    assert kinds(columns, few="number", many="category", gaps="drop") == {
        "few": "number",
        "many": "category",
        "dates": "date",
        "nearly": "category",
    }


def test_each_column_is_told_in_a_line(table):
    told = {line.partition(":")[0]: line for line in table.lines()}
    assert told["city"] == "city: category, 3 values: Bergen, Oslo, missing"
    assert told["day"].startswith("day: date, 2024-01-0")
    assert "mode" in told["day"]
    assert told["visits"].startswith("visits: integer, 0 to 59, some missing, ")
    for name, way in (("row", "row"), ("row number", "row_number"), ("_row (#)", "row")):
        frame = pd.DataFrame({name: range(40), "x": 0})
        line = Table.of(frame, modes=1).lines()[0]
        assert line.endswith(f"(numbers of the rows? data.types.{way}=drop leaves them out)")
        assert Table.of(frame, {way: "drop"}, modes=1).names == ["x"]
    twins = pd.DataFrame({"a b": range(40), "a-b": 0})
    with pytest.raises(InputError, match="2 columns are typed so; the table has a b, a-b"):
        Table.of(twins, {"a_b": "drop"})


def test_rows_come_back(frame, table):
    back = table.decode(table.encode(frame))
    assert list(back) == list(frame)
    assert back["city"].fillna("-").tolist() == frame["city"].fillna("-").tolist()
    assert back["member"].dtype == bool
    assert back["member"].tolist() == frame["member"].tolist()
    assert (back["day"] == frame["day"]).all()
    assert back["age"].dtype == "int64"
    assert (back["age"] - frame["age"]).abs().max() == 0
    assert back["visits"].dtype == "Int64"
    assert back["visits"].isna().tolist() == [i == 3 for i in range(len(frame))]
    assert (back["height"].isna() == frame["height"].isna()).all()
    # float32 scalars, cut at four standard deviations of a mode
    assert (back["height"] - frame["height"]).abs().max() < 1e-3
    assert (back["income"] - frame["income"]).abs().max() < 0.011


def test_normalization_is_that_of_the_drawn_mode():
    """Against the formula, on a mixture that is known; and modes are drawn by their probability."""
    about = {
        "name": "x", "kind": "number", "missing": True, "decimals": None, "low": -99.0,
        "high": 99.0, "means": [0.0, 10.0], "stds": [4.0, 2.0], "weights": [0.25, 0.75],
    }  # fmt: skip
    table = Table({"rows": 1, "columns": [about]})
    x = np.array([6.0] * 4000 + [np.nan])
    rows = table.encode(pd.DataFrame({"x": x}))
    assert rows.shape == (4001, 4)
    first = rows[:-1, 1] == 1
    np.testing.assert_allclose(rows[:-1, 0], np.where(first, 6 / 16, -4 / 8), rtol=1e-6)
    assert rows[-1].tolist() == [0, 0, 0, 1]
    joint = 0.25 * norm.pdf(6, 0, 4), 0.75 * norm.pdf(6, 10, 2)
    assert first.mean() == pytest.approx(joint[0] / sum(joint), abs=0.025)
    assert table.decode(np.array([[1.0, 0, 1, 0], [-1, 1, 0, 0]]))["x"].tolist() == [18, -16]
    assert table.decode(np.array([[9.0, 0, 1, 0]]))["x"].tolist() == [18]  # beyond is cut


def test_values_stay_in_the_range_and_the_decimals_of_the_table():
    x = np.round(np.random.default_rng(0).normal(5, 1, 200), 1)
    table = Table.of(pd.DataFrame({"x": x}), modes=2)
    made = np.random.default_rng(1).uniform(-1, 1, (500, table.layout.size))
    back = table.decode(made)["x"]
    assert back.min() >= x.min()
    assert back.max() <= x.max()
    np.testing.assert_array_equal(back, np.round(back, 1))


def test_the_mixture_finds_the_modes(frame, table):
    income = table.columns[0]
    found = sorted(zip(income["means"], income["weights"], strict=True))
    heavy = [(mean, weight) for mean, weight in found if weight > 0.1]
    assert [mean for mean, _ in heavy] == pytest.approx(
        [100, 500], abs=12
    )  # the prior draws to the middle
    share = (frame["income"] > 300).mean()
    assert [weight for _, weight in heavy] == pytest.approx([1 - share, share], abs=0.05)


@pytest.mark.parametrize(
    ("column", "types", "message"),
    [
        (
            [f"name {i}" for i in range(60)],
            {},
            "as names have: leave it out with data.types.x=drop",
        ),
        ([1.0, np.inf] * 10, {}, "holds infinity"),
        ([0.5] * 20, {"x": "integer"}, "holds fractions: set data.types.x=number"),
        (["a"] * 20, {"x": "number"}, "holds what is no number: set data.types.x=category"),
        (["03/01/24"] * 20, {"x": "date"}, "no date such as 2024-03-01"),
        ([2**60 + i for i in range(20)], {}, "beyond 2^53"),
        ([None] * 20, {"x": "number"}, "has no values"),
        ([1] * 20, {"y": "drop"}, "there is no such column; the table has x"),
        ([1] * 20, {"x": "text"}, "must be one of number, integer, date, category, drop"),
        ([1] * 20, {"x": "drop"}, "no column is left"),
    ],
)
def test_what_cannot_be_used_is_said(column, types, message):
    with pytest.raises(InputError, match=message.replace("^", r"\^")):
        Table.of(pd.DataFrame({"x": column}), types)


def test_rows_of_another_table_are_refused(frame, table):
    for other, message in (
        (frame.drop(columns="age"), "no column 'age'"),
        (frame.assign(city="Paris"), "holds 'Paris', which the table"),
        (frame.assign(income=np.nan), "'income' has missing values"),
    ):
        with pytest.raises(InputError, match=message):
            table.encode(other)


def test_descriptions_are_compared_up_to_rounding(frame, table):
    assert table.differs(Table.of(frame, modes=3).description) is None
    rounded = Table.of(frame, modes=3)
    rounded.columns[0]["means"][0] *= 1 + 1e-9
    assert table.differs({"columns": rounded.columns}) is None
    rounded.columns[0]["means"][0] += 1
    assert "'income'" in table.differs({"columns": rounded.columns})
    assert "columns income, and now" in table.differs({"columns": rounded.columns[:1]})


def test_conditions_are_places_of_categories(table):
    assert [table.condition("city", v) for v in ("Bergen", "Oslo", None)] == [0, 1, 2]
    assert table.condition("member", True) == table.condition("member", "True") == 4
    for column, value, message in (
        ("city", "Paris", "no value 'Paris'; it has 'Bergen', 'Oslo', ''"),
        ("age", 30, "holds numbers"),
        ("name", "x", "no column 'name'; columns of categories: city, member"),
    ):
        with pytest.raises(InputError, match=message):
            table.condition(column, value)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_there_and_back(frame, tmp_path, ending):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / "new" / f"t.{ending}"
    write_table(frame, path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    back = read_table(path)
    assert Table.of(frame, modes=1).differs(Table.of(back, modes=1).description) is None
    with pytest.raises(InputError, match="exists; choose another file"):
        write_table(frame, path)


def test_files_that_are_no_tables(tmp_path):
    for name, text, message in (
        ("a.csv", None, "there is no file"),
        ("b.csv", "", "cannot be read as a table"),
        ("c.csv", "x,y\n", "has no rows"),
        ("d.csv", "x,x\n1,2\n", "two columns 'x'"),
        ("e.xlsx", "", "a table is a file .csv or .parquet"),
    ):
        path = tmp_path / name
        if text is not None:
            path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_table(path)
    (tmp_path / "zip.csv").write_text("zip\n007\n010\n")
    assert read_table(tmp_path / "zip.csv", {"zip": "category"})["zip"].tolist() == ["007", "010"]
