"""Tables from a trained generator, without the table that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from lightning_gan import InputError, load_generator
from lightning_gan_tabular.networks import TabularGenerator
from lightning_gan_tabular.table import Table

AT_ONCE = 1000  # rows
TRIES = 100  # times as many rows are drawn at most as are asked for, and AT_ONCE


def sample_table(
    path: str | Path,
    n: int,
    seed: int = 0,
    condition: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return a synthetic table with the columns of the one that was trained on.

    With one seed, fewer rows are the beginning of more.

    Args:
        path: A checkpoint, the folder of a run, an exported folder, or ``hf://user/name``.
        n: Number of rows, from 1.
        seed: The same seed, the same rows; from 0.
        condition: Categories that all rows have, by the name of the column; None or "" for what is
            missing. The generator is asked for the first of them, and rows without all of them are
            left out.

    Raises:
        InputError: The generator is of another kind, there is no such column or category, a number
            is out of range, or the generator hardly makes such rows.
    """
    if type(n) is not int or n < 1 or type(seed) is not int or seed < 0:
        raise InputError(f"n must be a whole number from 1 and seed one from 0, got {n} and {seed}")
    loaded = load_generator(path)
    network = loaded.generator
    if not isinstance(network, TabularGenerator):
        raise InputError(f"{path} holds a {type(network).__name__}, which makes no tables")
    assert network.table is not None  # or it would not have been built
    table = Table(network.table)
    if not condition:
        return table.decode(loaded.sample(n, seed=seed).numpy())
    places = [table.condition(name, value) for name, value in condition.items()]
    asked = torch.zeros(AT_ONCE, table.layout.condition)
    asked[:, places[0]] = 1
    categories = table.layout.size - table.layout.condition
    found, drawn, rows = [], 0, 0
    while rows < n:
        if drawn >= TRIES * max(n, AT_ONCE):
            wanted = ", ".join(f"{name}={value}" for name, value in condition.items())
            raise InputError(
                f"of {drawn:,} samples {rows:,} have {wanted}: ask for fewer rows, or for a "
                "condition that is less rare"
            )
        words = np.random.SeedSequence([seed, drawn]).generate_state(1)
        made = loaded.sample(AT_ONCE, labels=asked, seed=int(words[0])).numpy()
        found.append(made[_has(made[:, categories:], places, table)])
        drawn, rows = drawn + AT_ONCE, rows + len(found[-1])
    return table.decode(np.concatenate(found)[:n])


def _has(categories: np.ndarray[Any, Any], places: list[int], table: Table) -> np.ndarray[Any, Any]:
    """Return which rows decode to all of these categories."""
    keeps = np.ones(len(categories), dtype=bool)
    start = 0
    for size in table.layout.categories:
        chosen = start + categories[:, start : start + size].argmax(1)
        for place in places:
            if start <= place < start + size:
                keeps &= chosen == place
        start += size
    return keeps
