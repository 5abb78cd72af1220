"""What the conformance kit tries the components with: a small table of all kinds of columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import one_hot

from lightning_gan import create_discriminator, create_generator
from lightning_gan_tabular.table import Table


def _table() -> Table:
    drawn = np.random.default_rng(0)
    return Table.of(
        pd.DataFrame(
            {
                "height": drawn.normal(170, 8, 60),
                "city": np.array(["Oslo", "Rome", "Lima"])[np.arange(60) % 3],
                "member": np.arange(60) % 2 == 0,
            }
        ),
        modes=2,
    )


def _asked(table: Table) -> dict[str, Any]:
    """Return conditions of four samples."""
    classes = table.layout.condition
    return {"y": one_hot(torch.arange(4) % classes, classes).float()}


def _generator(folder: Path) -> dict[str, Any]:
    table = _table()
    arguments = {"table": table.description, "noise_dim": 4, "hidden": [8]}
    return {"arguments": arguments, **_asked(table)}


def _discriminator(folder: Path) -> dict[str, Any]:
    table = _table()
    arguments = {"table": table.description, "packing": 2, "hidden": [8]}
    # Packs of two lie whole in the halves that the kit cuts batches into.
    return {"arguments": arguments, "couples": None, **_asked(table)}


def _term(folder: Path) -> dict[str, Any]:
    table = _table()
    networks = (
        create_generator("tabular", table=table.description, noise_dim=4, hidden=[8]),
        create_discriminator("tabular", table=table.description, packing=2, hidden=[8]),
    )
    return {"networks": networks, **_asked(table)}


CASES: dict[str, Any] = {
    "generator/tabular": _generator,
    "discriminator/tabular": _discriminator,
    "condition_cross_entropy": _term,
    "pack_gradient_penalty": _term,
}
