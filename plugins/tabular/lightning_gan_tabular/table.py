"""A table as the networks see it: encoded to vectors, and decoded from what a generator makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lightning_gan import InputError
from lightning_gan_tabular import columns
from lightning_gan_tabular.columns import Numbers
from lightning_gan_tabular.layout import Layout

WIDTHS = 4.0  # standard deviations of a mode that a scalar of 1 stands for


class Table:
    """The description of a table's columns, with which rows are encoded and decoded.

    A column of numbers (integers and dates are numbers, too) becomes a scalar and a one-hot mode:
    a mode k of its mixture is drawn by its probability given the value, and the scalar is
    (value - mean_k) / (4 std_k), cut to [-1, 1] (mode-specific normalization, Xu et al. 2019,
    section 4.2). A missing value is a mode of its own, with a scalar of 0. A column of categories
    becomes one-hot, and what is missing is a category of its own. A row is (scalars, modes,
    categories).

    Decoding takes the largest entry of each one-hot part. Numbers are cut to the range of the
    table, and rounded to its decimals.

    Args:
        description: Plain values: ``{"rows": ..., "columns": [...]}``, as :meth:`of` makes it.

    Attributes:
        description: As above; checkpoints hold it.
        layout: Where columns stand in a vector.

    Raises:
        InputError: It describes no table.
    """

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.layout = Layout.of(description, type(self).__name__)
        self.description = dict(description)
        self.columns: list[dict[str, Any]] = list(description["columns"])
        self._numbers = [c for c in self.columns if c["kind"] != "category"]
        self._categories = [c for c in self.columns if c["kind"] == "category"]

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        types: Mapping[str, str] | None = None,
        modes: int = 10,
        seed: int = 0,
    ) -> Table:
        """Look at a table.

        Args:
            frame: The rows.
            types: Kinds of columns by name: "number", "integer", "date", "category", or "drop",
                which leaves one out. In names an underscore may stand for all but letters and
                digits. Those of other columns are guessed: text is a category, or a
                date where all of it is ISO 8601; up to 10 different whole numbers are categories.
            modes: The most modes of a column of numbers.
            seed: Of the mixtures.

        Raises:
            InputError: There is no such column or kind, values do not fit it, or no column is left.
        """
        names = [str(name) for name in frame.columns]
        types = columns.resolved(types, names)
        found = [
            columns.described(frame[name], types.get(name), modes, seed)
            for name in names
            if types.get(name) != "drop"
        ]
        if not found:
            raise InputError("no column is left: data.types drops all of them")
        return cls({"rows": len(frame), "columns": found})

    def lines(self) -> list[str]:
        """Return what was found, a line for each column."""
        return [columns.line(about, self.description["rows"]) for about in self.columns]

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [about["name"] for about in self.columns]

    def encode(self, frame: pd.DataFrame, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Return rows as vectors, float32 of shape (N, layout.size).

        Args:
            frame: Rows with these columns.
            seed: Of the choice of modes.

        Raises:
            InputError: A column is missing, or holds a category that the table does not know, or a
                missing value where there were none.
        """
        rng = np.random.default_rng(seed)
        scalars, parts = [], []
        for about in self._numbers:
            scalar, mode = _normalized(about, self._column(frame, about), rng)
            scalars.append(scalar[:, None])
            parts.append(_one_hot(mode, len(about["means"]) + bool(about["missing"])))
        for about in self._categories:
            number = self._codes(frame, about)
            parts.append(_one_hot(number, len(about["values"])))
        return np.concatenate([*scalars, *parts], axis=1).astype(np.float32)

    def decode(self, rows: np.ndarray[Any, Any]) -> pd.DataFrame:
        """Return vectors, shape (N, layout.size), as a table with the columns in their order."""
        rows = np.asarray(rows, dtype=np.float64)
        scalars = rows[:, : self.layout.scalars]
        ends = np.cumsum(self.layout.blocks)[:-1]
        choices = [p.argmax(1) for p in np.split(rows[:, self.layout.scalars :], ends, axis=1)]
        found: dict[str, Any] = {}
        for about, scalar, mode in zip(self._numbers, scalars.T, choices, strict=False):
            found[about["name"]] = _as_column(about, _denormalized(about, scalar, mode))
        for about, number in zip(self._categories, choices[len(self._numbers) :], strict=True):
            values = about["values"]
            found[about["name"]] = pd.Series([values[i] for i in number], dtype=_type_of(values))
        return pd.DataFrame({name: found[name] for name in self.names})

    def condition(self, column: str, value: Any) -> int:
        """Return the place of a category in a condition.

        Args:
            column: Name of a column of categories.
            value: The category, or its text; None or "" for what is missing.

        Raises:
            InputError: There is no such column or category.
        """
        start = 0
        for about in self._categories:
            values = about["values"]
            if about["name"] == column:
                texts = ["" if each is None else str(each) for each in values]
                text = "" if value is None else str(value)
                if text not in texts:
                    shown = ", ".join(map(repr, texts[:10]))
                    raise InputError(f"column {column!r} has no value {text!r}; it has {shown}")
                return start + texts.index(text)
            start += len(values)
        if column in self.names:
            raise InputError(f"column {column!r} holds numbers; a condition names a category")
        names = ", ".join(about["name"] for about in self._categories) or "none"
        raise InputError(f"there is no column {column!r}; columns of categories: {names}")

    def differs(self, other: Mapping[str, Any]) -> str | None:
        """Return in words how another description differs from this one; None where it does not."""
        theirs = list(other.get("columns", ()))
        names = [about.get("name") for about in theirs]
        if names != self.names:
            return f"columns {', '.join(map(str, names))}, and now {', '.join(self.names)}"
        for ours, then in zip(self.columns, theirs, strict=True):
            if not _alike(ours, then):
                return f"column {ours['name']!r} with other values or another kind"
        return None

    def _column(self, frame: pd.DataFrame, about: Mapping[str, Any]) -> Numbers:
        return columns.as_numbers(_of(frame, about["name"]), about["kind"])

    def _codes(self, frame: pd.DataFrame, about: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        places = {value: number for number, value in enumerate(about["values"])}
        values = columns.as_categories(_of(frame, about["name"]))
        unknown = [value for value in values if value not in places]
        if unknown:
            raise InputError(
                f"column {about['name']!r} holds {unknown[0]!r}, which the table that was trained "
                "on does not"
            )
        return np.array([places[value] for value in values])


def _of(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name not in frame.columns:
        raise InputError(f"the rows have no column {name!r}; they have {', '.join(frame.columns)}")
    return frame[name]


def _alike(ours: Any, theirs: Any) -> bool:
    """Whether two descriptions are the same up to rounding, which machines do differently."""
    if isinstance(ours, float) and isinstance(theirs, float):
        return bool(np.isclose(ours, theirs, rtol=1e-6, atol=1e-12))
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return ours.keys() == theirs.keys() and all(_alike(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)):
        return len(ours) == len(theirs) and all(map(_alike, ours, theirs))
    return bool(type(ours) is type(theirs) and ours == theirs)


def _one_hot(numbers: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = np.eye(size, dtype=np.float32)[numbers]
    return found


def _normalized(
    about: Mapping[str, Any], values: Numbers, rng: np.random.Generator
) -> tuple[Numbers, np.ndarray[Any, Any]]:
    """Return the scalar and the mode of each value."""
    missing = np.isnan(values)
    if missing.any() and not about["missing"]:
        raise InputError(
            f"column {about['name']!r} has missing values, and none were there in the table that "
            "was trained on"
        )
    means, stds, weights = (np.array(about[key]) for key in ("means", "stds", "weights"))
    known = np.where(missing, means[0], values)[:, None]
    logs = np.log(weights) - np.log(stds) - 0.5 * ((known - means) / stds) ** 2
    shares = np.exp(logs - logs.max(1, keepdims=True))
    edges = np.cumsum(shares, axis=1)
    mode = (rng.random((len(values), 1)) * edges[:, -1:] >= edges).sum(1).clip(max=len(means) - 1)
    scalar = ((known[:, 0] - means[mode]) / (WIDTHS * stds[mode])).clip(-1, 1)
    return np.where(missing, 0.0, scalar), np.where(missing, len(means), mode)


def _denormalized(
    about: Mapping[str, Any], scalars: Numbers, modes: np.ndarray[Any, Any]
) -> Numbers:
    """Return the values that scalars and modes stand for, NaN where one is missing."""
    means, stds = np.array(about["means"]), np.array(about["stds"])
    missing = modes == len(means)
    mode = np.where(missing, 0, modes)
    values = scalars.clip(-1, 1) * WIDTHS * stds[mode] + means[mode]
    values = values.clip(about["low"], about["high"])
    if about["kind"] == "date":
        values = np.round(values / about["unit"]) * about["unit"]
    elif about["decimals"] is not None:
        values = np.round(values, about["decimals"])
    return np.where(missing, np.nan, values)


def _as_column(about: Mapping[str, Any], values: Numbers) -> pd.Series[Any]:
    column = pd.Series(values)
    if about["kind"] == "date":
        dates = pd.to_datetime(column, unit="s", utc=bool(about["zone"]))
        return dates.dt.as_unit("s")
    if about["kind"] == "integer":
        return column.astype("Int64" if about["missing"] else "int64")
    return column


def _type_of(values: Sequence[Any]) -> Any:
    """Return the type that pandas has for a column of categories, missing ones allowed."""
    present = [value for value in values if value is not None]
    missing = len(present) < len(values)
    for kind, whole, gapped in ((bool, "bool", "boolean"), (int, "int64", "Int64")):
        if present and all(type(value) is kind for value in present):
            return gapped if missing else whole
    return object
