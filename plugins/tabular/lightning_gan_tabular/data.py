"""A table as training data, sampled so that rare categories are seen (training by sampling)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor

from lightning_gan import InputError
from lightning_gan_tabular.files import read_table
from lightning_gan_tabular.layout import Layout
from lightning_gan_tabular.table import Table

LEAST = 10  # rows


class TableData(LightningDataModule):
    """The rows of a table, each with a condition: a category of one of its columns.

    In training a column of categories is drawn, all alike; then one of its categories, by the
    logarithm of its frequency; then any row that has it (training by sampling, Xu et al. 2019,
    section 4.3). Rows are drawn anew each time, so that a batch may hold one twice. A table without
    categories has no conditions, and all rows are drawn alike. Held-out rows come in order, each
    with the category that it has in a random column.

    Batches are a function of the seed and their number, and a resumed run goes on with the next.

    Args:
        path: A CSV file with a header, or a Parquet file.
        types: Kinds of columns by name where the guess is wrong: number, integer, date, category,
            drop.
        modes: The most modes of a column of numbers.
        holdout: Share of the rows that is held out of training, from 0, for validation; their
            modes and categories are known.
        batch_size: Rows in a batch, on each process.
        seed: Of modes, held-out rows and batches.

    Attributes:
        table: The table.

    Raises:
        InputError: The file cannot be read, a column does not fit its kind, there are fewer than
            ten rows, or a number is out of range.
    """

    num_classes = None
    sample_range = "symmetric"

    def __init__(
        self,
        path: str,
        types: dict[str, str] | None = None,
        modes: int = 10,
        holdout: float = 0.1,
        batch_size: int = 500,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1 or modes < 1 or seed < 0 or not 0 <= holdout < 1:
            raise InputError(
                "batch_size and modes must be at least 1, seed at least 0 and holdout lie in "
                f"[0, 1), got {batch_size}, {modes}, {seed} and {holdout}"
            )
        self.batch_size, self.seed = batch_size, seed
        frame = read_table(path, types)
        if len(frame) < LEAST:
            raise InputError(f"{path} has {len(frame)} rows; a table needs {LEAST}")
        self.table = Table.of(frame, types, modes, seed)
        rank_zero_info(f"{path}: {len(frame):,} rows")
        for line in self.table.lines():
            rank_zero_info(f"  {line}")
        rows = torch.from_numpy(self.table.encode(frame, seed))
        order = np.random.default_rng((seed, 1)).permutation(len(frame))
        held = int(holdout * len(frame))
        self._held, self._trained = rows[np.sort(order[:held])], rows[np.sort(order[held:])]
        self._loader: SampledRows | None = None
        self._resumed: dict[str, Any] = {}

    def __str__(self) -> str:
        """Return the name and the size of batches."""
        return f"{type(self).__name__}, batches of {self.batch_size}"

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of an encoded row."""
        return (self.table.layout.size,)

    @property
    def network_arguments(self) -> dict[str, Any]:
        """What the networks get from the data: the description of the table."""
        return {"table": self.table.description}

    def train_dataloader(self) -> SampledRows:
        """Return the loader of drawn rows with their conditions."""
        rank, processes = self._process()
        self._loader = SampledRows(
            self._trained, self.table.layout, self.batch_size, self.seed, rank, processes
        )
        if self._resumed:
            self._loader.load_state_dict(self._resumed)
            self._resumed = {}
        return self._loader

    def val_dataloader(self) -> Any:
        """Return the held-out rows in order, this process's share of them; empty without any.

        All processes have equally many: up to one for each process is left out.
        """
        rank, processes = self._process()
        rows = self._held[: len(self._held) // processes * processes][rank::processes]
        if not len(rows):
            return []
        return ConditionedRows(rows, self.table.layout, self.batch_size, self.seed)

    test_dataloader = predict_dataloader = val_dataloader

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the training batches, and what the table is."""
        place = {} if self._loader is None else self._loader.state_dict()
        return {**place, "table": self.table.description}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the next training loader go on at a saved place.

        Raises:
            InputError: The checkpoint was trained on another table.
        """
        differs = self.table.differs(state_dict.get("table", {}))
        if differs is not None:
            raise InputError(
                f"data: the checkpoint was trained on another table: {differs}; go on with the "
                "file and data.types of then, or begin a new run"
            )
        if self.trainer is None or self.trainer.state.fn == "fit":
            self._resumed = {k: v for k, v in state_dict.items() if k != "table"}

    def _process(self) -> tuple[int, int]:
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size


class SampledRows:
    """Draws batches of rows and conditions, each batch a function of its number.

    Args:
        rows: Encoded rows, shape (N, layout.size).
        layout: Where their columns stand.
        batch_size: Rows in a batch of this process.
        seed: Key of the draws.
        rank: Number of this process, from 0.
        processes: How many there are.
    """

    def __init__(
        self,
        rows: Tensor,
        layout: Layout,
        batch_size: int,
        seed: int,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.rows, self.layout, self.batch_size = rows, layout, batch_size
        self.seed, self.rank, self.processes = seed, rank, processes
        self._delivered = 0
        sizes = layout.categories
        starts = np.cumsum([0, *sizes])
        codes = rows[:, layout.size - layout.condition :].numpy()
        widest = max(sizes, default=0)
        # Of each column: rows in the order of their categories, where each begins, how many it has.
        self._orders, self._begins, self._counts, self._edges = [], [], [], []
        for start, size in zip(starts, sizes, strict=False):
            code = codes[:, start : start + size].argmax(1)
            counts = np.bincount(code, minlength=size)
            logs = np.log1p(counts)
            edges = np.full(widest, np.inf)
            edges[:size] = np.cumsum(logs) / logs.sum()
            self._orders.append(np.argsort(code, kind="stable"))
            self._begins.append(np.concatenate([[0], np.cumsum(counts)[:-1]]))
            self._counts.append(counts)
            self._edges.append(edges)
        self._starts = starts

    def __len__(self) -> int:
        return max(1, len(self.rows) // (self.batch_size * self.processes))

    def __iter__(self) -> Iterator[Any]:
        for _ in range(len(self)):
            number = self._delivered
            self._delivered += 1
            yield self.batch(number)

    def batch(self, number: int) -> Any:
        """Return batch ``number``: rows, and conditions (N, C) where there are any."""
        rng = np.random.default_rng((self.seed, 2, number, self.rank, self.processes))
        n, layout = self.batch_size, self.layout
        if not layout.categories:
            return self.rows[torch.from_numpy(rng.integers(len(self.rows), size=n))]
        column = rng.integers(len(layout.categories), size=n)
        share, place = rng.random(n), rng.random(n)
        index, chosen = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        for c in range(len(layout.categories)):
            here = column == c
            value = np.searchsorted(self._edges[c], share[here], side="right")
            counts = self._counts[c][value]
            at = self._begins[c][value] + (place[here] * counts).astype(np.int64)
            index[here] = self._orders[c][at]
            chosen[here] = self._starts[c] + value
        return self.rows[torch.from_numpy(index)], _one_hot(chosen, layout.condition)

    def state_dict(self) -> dict[str, Any]:
        """Return how many batches were delivered."""
        return {"delivered": self._delivered}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on after the last batch that a saved loader delivered."""
        self._delivered = int(state.get("delivered", 0))


class ConditionedRows:
    """Rows in order, in batches, each with the category that it has in a random column.

    Args:
        rows: Encoded rows, shape (N, layout.size).
        layout: Where their columns stand.
        batch_size: Rows in a batch.
        seed: Of the columns.
    """

    def __init__(self, rows: Tensor, layout: Layout, batch_size: int, seed: int) -> None:
        self.rows, self.batch_size, self.y = rows, batch_size, None
        if layout.categories:
            rng = np.random.default_rng((seed, 3))
            column = rng.integers(len(layout.categories), size=len(rows))
            codes = torch.split(rows[:, -layout.condition :], list(layout.categories), dim=1)
            starts = np.cumsum([0, *layout.categories])
            each = np.stack(
                [start + code.argmax(1).numpy() for start, code in zip(starts, codes, strict=False)]
            )
            self.y = _one_hot(each[column, np.arange(len(rows))], layout.condition)

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self.rows), self.batch_size):
            part = slice(start, start + self.batch_size)
            yield self.rows[part] if self.y is None else (self.rows[part], self.y[part])


def _one_hot(numbers: np.ndarray[Any, Any], size: int) -> Tensor:
    return torch.nn.functional.one_hot(torch.from_numpy(numbers), size).float()
