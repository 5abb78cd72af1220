"""Synthetic tables from mixed tables: CTGAN (Xu et al. 2019) as a plugin of lightning-gan."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_gan_tabular.data import TableData
    from lightning_gan_tabular.files import read_table, write_table
    from lightning_gan_tabular.layout import Layout
    from lightning_gan_tabular.networks import TabularDiscriminator, TabularGenerator
    from lightning_gan_tabular.sampling import sample_table
    from lightning_gan_tabular.scores import Distances, distances, usefulness
    from lightning_gan_tabular.table import Table
    from lightning_gan_tabular.terms import ConditionCrossEntropy, PackGradientPenalty

_HOMES = {
    "ConditionCrossEntropy": "terms",
    "Distances": "scores",
    "Layout": "layout",
    "PackGradientPenalty": "terms",
    "Table": "table",
    "TableData": "data",
    "TabularDiscriminator": "networks",
    "TabularGenerator": "networks",
    "distances": "scores",
    "read_table": "files",
    "sample_table": "sampling",
    "usefulness": "scores",
    "write_table": "files",
}

__all__ = [
    "ConditionCrossEntropy",
    "Distances",
    "Layout",
    "PackGradientPenalty",
    "Table",
    "TableData",
    "TabularDiscriminator",
    "TabularGenerator",
    "distances",
    "read_table",
    "sample_table",
    "usefulness",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lightning_gan_tabular' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lightning_gan_tabular.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
