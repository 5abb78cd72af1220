"""What a column is: guessed from its values, described in plain numbers, and put into one line."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types as kinds

from lightning_gan import InputError

Numbers = np.ndarray[Any, np.dtype[np.float64]]

KINDS = ("number", "integer", "date", "category", "drop")
FEW = 10  # different whole numbers that are taken for categories
MANY = 500  # categories; more are taken for names
FITTED = 10_000  # rows that the mixtures are fitted to
LIGHTEST = 0.005  # weight of a mode; those below are left out
LARGEST = 2.0**53  # whole numbers beyond are not exact
MOST_DECIMALS = 6
ISO = r"\d{4}-\d{2}-\d{2}(?:[T ].*)?"


def guessed(column: pd.Series[Any]) -> str:
    """Return the kind of a column: number, integer, date or category."""
    if kinds.is_bool_dtype(column.dtype) or isinstance(column.dtype, pd.CategoricalDtype):
        return "category"
    if kinds.is_datetime64_any_dtype(column.dtype):
        return "date"
    if kinds.is_numeric_dtype(column.dtype):
        values = column.dropna().to_numpy(dtype=float)
        if not np.isfinite(values).all() or (values != np.round(values)).any():
            return "number"
        return "category" if column.nunique() <= FEW else "integer"
    texts = column.dropna()
    is_text = all(isinstance(value, str) for value in texts)
    if len(texts) and is_text and texts.str.fullmatch(ISO).all():
        return (
            "date"
            if not pd.to_datetime(texts, format="ISO8601", errors="coerce").isna().any()
            else "category"
        )
    return "category"


def as_numbers(column: pd.Series[Any], kind: str) -> Numbers:
    """Return a column of numbers or dates as float64, NaN where a value is missing.

    Dates are seconds since 1970.

    Raises:
        InputError: A value is of another kind, infinite, or too large to be exact.
    """
    name = column.name
    if kind == "date":
        try:
            dates = pd.to_datetime(column, format="ISO8601", utc=True)
        except (ValueError, TypeError) as error:
            raise InputError(
                f"column {name!r} holds what is no date such as 2024-03-01 or 2024-03-01 12:30:00: "
                f"set {setting(name, 'category')}, or write dates so"
            ) from error
        seconds = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
        return np.asarray(seconds.to_numpy(dtype=float, na_value=np.nan), dtype=np.float64)
    try:
        values = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"column {name!r} holds what is no number: set {setting(name, 'category')}"
        ) from error
    if np.isinf(values).any():
        raise InputError(f"column {name!r} holds infinity; leave such rows out, or the column")
    present = values[~np.isnan(values)]
    if kind == "integer" and (present != np.round(present)).any():
        raise InputError(
            f"column {name!r} holds fractions: set {setting(name, 'number')}, not integer"
        )
    if kind == "integer" and len(present) and np.abs(present).max() > LARGEST:
        raise InputError(
            f"column {name!r} holds whole numbers beyond 2^53, which are no measurements: set "
            f"{setting(name, 'drop')}"
        )
    return values


def as_categories(column: pd.Series[Any]) -> list[Any]:
    """Return values as JSON has them: text, numbers, booleans, and None where one is missing.

    Whole numbers among floats, as pandas makes them where some are missing, are whole again.
    """
    whole = kinds.is_float_dtype(column.dtype) and not (column.dropna() % 1).any()
    return [_plain(value, whole) for value in column.astype(object)]


def _plain(value: Any, whole: bool) -> Any:
    if pd.isna(value):
        return None
    value = value.item() if isinstance(value, np.generic) else value
    if whole:
        return int(value)
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def setting(name: Any, kind: str) -> str:
    """Return what to type so that a column is taken for a kind."""
    return f"data.types.{typed(name)}={kind}"


def typed(name: Any) -> str:
    """Return how the name of a column is typed: all but letters and digits is an underscore."""
    return re.sub(r"[\W_]+", "_", str(name)).strip("_") or str(name)


def resolved(types: Mapping[str, str] | None, names: Iterable[Any]) -> dict[str, str]:
    """Return kinds by the names that columns have.

    Args:
        types: Kinds by names, or by names as they are typed.
        names: Those that there are.

    Raises:
        InputError: There is no such column, or there are several, or no such kind.
    """
    known = [str(name) for name in names]
    found = {}
    for given, kind in (types or {}).items():
        name = str(given)
        meant = [name] if name in known else [k for k in known if typed(k) == typed(name)]
        if len(meant) != 1:
            what = f"{len(meant)} columns are typed so" if meant else "there is no such column"
            raise InputError(f"data.types.{name}: {what}; the table has {', '.join(known)}")
        if kind not in KINDS:
            raise InputError(f"data.types.{name} must be one of {', '.join(KINDS)}, got {kind!r}")
        found[meant[0]] = kind
    return found


def described(column: pd.Series[Any], kind: str | None, modes: int, seed: int) -> dict[str, Any]:
    """Return the description of a column, in plain values, from which it is encoded and decoded.

    Args:
        column: Its values.
        kind: One of KINDS but drop; None: guessed.
        modes: The most modes of a column of numbers.
        seed: Of the mixture.

    Raises:
        InputError: Its values are of another kind, or they are names.
    """
    kind = guessed(column) if kind is None else kind
    name = str(column.name)
    if kind == "category":
        return _of_categories(name, as_categories(column))
    values = as_numbers(column, kind)
    missing = np.isnan(values)
    present = values[~missing]
    if len(present) == 0:
        raise InputError(f"column {name!r} has no values: set {setting(name, 'drop')}")
    means, stds, weights = mixture(present, modes, seed)
    about = {"name": name, "kind": kind, "missing": bool(missing.any())}
    if kind == "date":
        days = bool((present % 86400 == 0).all())
        about["unit"] = 86400 if days else 1
        about["zone"] = kinds.is_datetime64_any_dtype(column.dtype) and hasattr(column.dtype, "tz")
    return {
        **about,
        "decimals": 0 if kind != "number" else _decimals(present),
        "low": float(present.min()),
        "high": float(present.max()),
        "means": means,
        "stds": stds,
        "weights": weights,
    }


def _of_categories(name: str, values: list[Any]) -> dict[str, Any]:
    counts: dict[Any, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    if len(counts) > MANY or (len(counts) > 5 * FEW and len(counts) > len(values) / 2):
        raise InputError(
            f"column {name!r} has {len(counts):,} different values in {len(values):,} rows, as "
            f"names have: leave it out with {setting(name, 'drop')}"
        )
    # Numbers in their order, what is missing last.
    order = sorted(counts, key=lambda v: (v is None, isinstance(v, str), v if v is not None else 0))
    return {
        "name": name,
        "kind": "category",
        "values": order,
        "counts": [counts[value] for value in order],
    }


def mixture(values: Numbers, modes: int, seed: int) -> tuple[list[float], list[float], list[float]]:
    """Fit a variational Gaussian mixture, of which the light modes are left out.

    Xu et al. 2019, section 4.2; at most FITTED rows are looked at.

    Args:
        values: Shape (N,), none missing.
        modes: The most modes.
        seed: Of the choice of rows and of the beginning.

    Returns:
        Means, standard deviations and weights of the modes that are left.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture

    if len(values) > FITTED:
        values = np.random.default_rng(seed).choice(values, FITTED, replace=False)
    center, scale = float(values.mean()), float(values.std())
    different = len(np.unique(values))
    if different == 1 or scale == 0:
        return [center], [1.0], [1.0]
    found = BayesianGaussianMixture(
        n_components=min(modes, different),
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=0.001,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is near enough
        found.fit(((values - center) / scale)[:, None])
    kept = found.weights_ >= min(LIGHTEST, found.weights_.max())
    means = found.means_[kept, 0] * scale + center
    stds = np.sqrt(found.covariances_[kept, 0, 0]) * scale
    weights = found.weights_[kept] / found.weights_[kept].sum()
    return means.tolist(), stds.tolist(), weights.tolist()


def _decimals(values: Numbers) -> int | None:
    """Return how many decimals all values have; None where they have more than MOST_DECIMALS."""
    for decimals in range(MOST_DECIMALS + 1):
        if np.allclose(values, np.round(values, decimals), rtol=0, atol=1e-9):
            return decimals
    return None


def line(about: Mapping[str, Any], rows: int) -> str:
    """Return what was found of a column, in one line."""
    name, kind = about["name"], about["kind"]
    if kind == "category":
        values = about["values"]
        shown = ", ".join("missing" if v is None else str(v) for v in values[:4])
        more = f" and {len(values) - 4} more" if len(values) > 4 else ""
        return f"{name}: category, {len(values)} values: {shown}{more}"
    low, high = (_shown(about[end], about) for end in ("low", "high"))
    modes = len(about["means"])
    missing = ", some missing" if about["missing"] else ""
    text = f"{name}: {kind}, {low} to {high}{missing}, {modes} mode{'s' if modes > 1 else ''}"
    if kind == "integer" and about["high"] - about["low"] == rows - 1:
        text += f" (numbers of the rows? {setting(name, 'drop')} leaves them out)"
    return text


def _shown(value: float, about: Mapping[str, Any]) -> str:
    if about["kind"] == "date":
        return str(pd.Timestamp(value, unit="s"))[: 10 if about["unit"] == 86400 else 19]
    return f"{value:.0f}" if about["kind"] == "integer" else f"{value:.6g}"
