"""Where the columns of a table stand in the vector that the networks see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightning_gan import InputError


@dataclass(frozen=True)
class Layout:
    """The places of an encoded row: scalars, then modes, then categories.

    Args:
        modes: For each column of numbers, the size of its one-hot part: one for each mode, one more
            where values may be missing. Each has a scalar as well.
        categories: For each column of categories, their number.
        shares: Frequencies of the categories in the table, one column after the other.
    """

    modes: tuple[int, ...]
    categories: tuple[int, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, table: Mapping[str, Any] | None, whose: str) -> Layout:
        """Read it from the description of a table.

        Args:
            table: What ``Table.description`` is.
            whose: Who asks, for the sentence.

        Raises:
            InputError: There is none, or it describes no table.
        """
        if table is None:
            raise InputError(
                f"{whose} is built from the description of a table: train with data=table, or pass "
                "table=TableData(path).network_arguments['table']"
            )
        try:
            numbers = [c for c in table["columns"] if c["kind"] != "category"]
            others = [c for c in table["columns"] if c["kind"] == "category"]
            counts = [[int(n) for n in column["counts"]] for column in others]
            found = cls(
                tuple(len(c["means"]) + bool(c["missing"]) for c in numbers),
                tuple(map(len, counts)),
                tuple(n / sum(column) for column in counts for n in column),
            )
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise InputError(f"{whose}: this is no description of a table: {error!r}") from error
        if found.size == 0:
            raise InputError(f"{whose}: the table has no columns")
        return found

    @property
    def scalars(self) -> int:
        """How many scalars there are."""
        return len(self.modes)

    @property
    def blocks(self) -> tuple[int, ...]:
        """Sizes of the one-hot parts."""
        return self.modes + self.categories

    @property
    def condition(self) -> int:
        """Length of a condition: of the one-hot parts of all columns of categories."""
        return sum(self.categories)

    @property
    def size(self) -> int:
        """Length of an encoded row."""
        return self.scalars + sum(self.blocks)
