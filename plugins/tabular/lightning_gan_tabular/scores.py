"""How far a synthetic table is from a real one, and how useful it is in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from lightning_gan import InputError
from lightning_gan_tabular import columns
from lightning_gan_tabular.columns import Numbers

BINS = 10  # of a column of numbers beside a column of categories


@dataclass(frozen=True)
class Distances:
    """Distances of two tables, each from 0 (alike) to 1.

    Attributes:
        columns: Of each column by itself. Numbers and dates: the Kolmogorov-Smirnov statistic, and
            where it is larger the difference of the shares of missing values. Categories: the
            total variation distance.
        pairs: Of each pair of columns. Two of numbers: half the absolute difference of Pearson's
            correlation. Otherwise the total variation distance of the contingency tables, in which
            numbers are cut at the deciles of the real table.
    """

    columns: dict[str, float]
    pairs: dict[tuple[str, str], float]

    @property
    def column(self) -> float:
        """The mean over columns."""
        return float(np.mean(list(self.columns.values())))

    @property
    def pair(self) -> float:
        """The mean over pairs; 0 for a table of one column."""
        return float(np.mean(list(self.pairs.values()))) if self.pairs else 0.0


def distances(
    real: pd.DataFrame, synthetic: pd.DataFrame, types: Mapping[str, str] | None = None
) -> Distances:
    """Compare a synthetic table with a real one, column by column and pair by pair.

    Args:
        real: The real table.
        synthetic: The other one; columns that it lacks are not compared.
        types: Kinds of columns, by name; those of others are guessed from the real table.

    Raises:
        InputError: They have no column in common, or values are of another kind.
    """
    types = columns.resolved(types, real.columns)
    names = [n for n in real.columns if n in synthetic.columns and types.get(n) != "drop"]
    if not names:
        raise InputError("the tables have no column in common")
    kinds = {name: types.get(name) or columns.guessed(real[name]) for name in names}
    both = {
        name: (_values(real[name], kinds[name]), _values(synthetic[name], kinds[name]))
        for name in names
    }
    alone = {
        name: _total_variation(*_codes(*both[name]))
        if kinds[name] == "category"
        else _kolmogorov_smirnov(*both[name])
        for name in names
    }
    # Each column as codes, numbers by the deciles of the real table, what is missing by itself.
    coded = {
        name: _codes(*both[name]) if kinds[name] == "category" else _binned(*both[name])
        for name in names
    }
    pairs = {}
    for a, b in combinations(names, 2):
        if "category" in (kinds[a], kinds[b]):
            joint = [
                first * (max(s.max() for s in coded[b]) + 1) + second
                for first, second in zip(coded[a], coded[b], strict=True)
            ]
            pairs[a, b] = _total_variation(*joint)
        else:
            ours, theirs = (_correlation(x, y) for x, y in zip(both[a], both[b], strict=True))
            pairs[a, b] = abs(ours - theirs) / 2
    return Distances(alone, pairs)


def usefulness(
    train: pd.DataFrame,
    test: pd.DataFrame,
    target: str,
    types: Mapping[str, str] | None = None,
    seed: int = 0,
) -> float:
    """Return how well a model that is trained on one table does on another, real one.

    A random forest of 200 trees. Trained on a synthetic table and on the real one, it tells what
    the synthetic one is worth (train on synthetic, test on real).

    Args:
        train: What the model is trained on.
        test: Real rows that nobody has trained on.
        target: The column to tell from all others.
        types: Kinds of columns, by name; those of others are guessed from ``test``.
        seed: Of the forest.

    Returns:
        The macro F1 score for a target of categories, R^2 for one of numbers.

    Raises:
        InputError: A column is missing from one of the tables, or the target has missing numbers.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.metrics import f1_score, r2_score

    types = columns.resolved(types, test.columns)
    names = [n for n in test.columns if types.get(n) != "drop"]
    lacking = [n for n in (*names, target) if n not in train.columns or n not in test.columns]
    if lacking:
        raise InputError(f"column {lacking[0]!r} is not in both tables")
    kinds = {name: types.get(name) or columns.guessed(test[name]) for name in names}
    features = [name for name in names if name != target]
    inputs: list[list[Numbers]] = [[], []]
    for name in features:
        values = [_values(table[name], kinds[name]) for table in (train, test)]
        if kinds[name] == "category":
            codes = _codes(*values)
            wide = np.eye(max(c.max() for c in codes) + 1)
            values = [wide[c] for c in codes]
        else:
            values = [np.nan_to_num(v, nan=np.nanmin(values[1]) - 1)[:, None] for v in values]
        for place, value in zip(inputs, values, strict=True):
            place.append(value)
    x, x_test = (np.concatenate(parts, axis=1) for parts in inputs)
    y, y_test = (_values(table[target], kinds[target]) for table in (train, test))
    if kinds[target] == "category":
        y, y_test = _codes(y, y_test)
        model: Any = RandomForestClassifier(200, random_state=seed)
        told = model.fit(x, y).predict(x_test)
        return float(f1_score(y_test, told, average="macro", zero_division=0))
    if np.isnan(y).any() or np.isnan(y_test).any():
        raise InputError(f"column {target!r} has missing values, and cannot be told from others")
    model = RandomForestRegressor(200, random_state=seed)
    return float(r2_score(y_test, model.fit(x, y).predict(x_test)))


def _values(column: pd.Series[Any], kind: str) -> Any:
    """Return categories as texts, None for missing ones; numbers and dates as floats."""
    if kind == "category":
        values = columns.as_categories(column)
        return [None if value is None else str(value) for value in values]
    return columns.as_numbers(column, "number" if kind == "integer" else kind)


def _codes(*each: list[Any]) -> list[np.ndarray[Any, Any]]:
    """Return categories of several tables as numbers from 0, the same for the same category."""
    known: dict[Any, int] = {}
    return [np.array([known.setdefault(v, len(known)) for v in values]) for values in each]


def _binned(real: Numbers, other: Numbers) -> list[np.ndarray[Any, Any]]:
    edges = np.unique(np.nanquantile(real, np.linspace(0, 1, BINS + 1)[1:-1]))
    return [np.where(np.isnan(v), BINS, np.digitize(v, edges)) for v in (real, other)]


def _kolmogorov_smirnov(real: Numbers, other: Numbers) -> float:
    from scipy.stats import ks_2samp

    shares = [float(np.isnan(v).mean()) for v in (real, other)]
    present = [v[~np.isnan(v)] for v in (real, other)]
    if min(map(len, present)) == 0:
        return float(len(present[0]) != len(present[1]))
    return max(float(ks_2samp(*present).statistic), abs(shares[0] - shares[1]))


def _total_variation(real: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    size = max(real.max(), other.max()) + 1
    ours, theirs = (np.bincount(v, minlength=size) / len(v) for v in (real, other))
    return float(np.abs(ours - theirs).sum() / 2)


def _correlation(a: Numbers, b: Numbers) -> float:
    """Return Pearson's correlation of the rows that have both; 0 where one does not vary."""
    both = ~(np.isnan(a) | np.isnan(b))
    if both.sum() < 2 or a[both].std() == 0 or b[both].std() == 0:
        return 0.0
    return float(np.corrcoef(a[both], b[both])[0, 1])
