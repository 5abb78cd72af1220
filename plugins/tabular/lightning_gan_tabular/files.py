"""Tables in files: read, and written whole to a file that is new."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from lightning_gan import InputError
from lightning_gan_tabular import columns

ENDINGS = (".csv", ".parquet")


def read_table(path: str | Path, types: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Read a CSV file with a header, or a Parquet file.

    Args:
        path: The file, ``.csv`` or ``.parquet``.
        types: Kinds of columns; those that are to be categories or dates are read from CSV as text,
            so that "007" stays what it is.

    Raises:
        InputError: It is missing, damaged or of another kind, or has no rows, or two columns of one
            name, or none of a name in ``types``.
    """
    path = Path(path)
    check_ending(path)
    try:
        if path.suffix == ".csv":
            header = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0].tolist()
            kinds = columns.resolved(types, header).items()
            as_text = [name for name, kind in kinds if kind in ("category", "date")]
            frame = pd.read_csv(path, dtype=dict.fromkeys(as_text, str))
        else:
            frame = pd.read_parquet(path)
            header = list(frame.columns)
            columns.resolved(types, header)
    except ImportError as error:
        raise InputError(
            f"{path} is Parquet, which needs pyarrow: pip install 'lightning-gan-tabular[parquet]'"
        ) from error
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}; expected a table, CSV or Parquet") from error
    except InputError:
        raise
    except (OSError, ValueError) as error:
        line = str(error).strip().splitlines()
        raise InputError(
            f"{path} cannot be read as a table: {line[0] if line else error}"
        ) from error
    named = [str(name) for name in header]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise InputError(f"{path} has two columns {twice[0]!r}: give each a name of its own")
    frame.columns = pd.Index([str(name) for name in frame.columns])
    if frame.empty:
        raise InputError(f"{path} has no rows")
    return frame


def write_table(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table to a new file, CSV or Parquet; it appears whole or not at all.

    Raises:
        InputError: The file exists, its ending is another, or it cannot be written.
    """
    path = Path(path)
    check_new(path)
    handle, name = -1, ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=path.suffix, prefix=".", dir=path.parent)
        os.close(handle)
        if path.suffix == ".csv":
            frame.to_csv(name, index=False)
        else:
            frame.to_parquet(name, index=False)
        os.chmod(name, 0o644)
        os.link(name, path)  # where another has come in the meantime, it stays
    except ImportError as error:
        raise InputError(
            f"{path}: Parquet needs pyarrow: pip install 'lightning-gan-tabular[parquet]'"
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        if name:
            os.unlink(name)


def check_new(path: Path) -> None:
    """Refuse a file that a table cannot be written to.

    Raises:
        InputError: It exists, or is neither CSV nor Parquet.
    """
    check_ending(path)
    if path.exists():
        raise InputError(f"{path} exists; choose another file")


def check_ending(path: Path) -> None:
    """Refuse files that are neither CSV nor Parquet.

    Raises:
        InputError: It is so.
    """
    if path.suffix not in ENDINGS:
        raise InputError(f"a table is a file .csv or .parquet, got {path}")
