"""What the data modules share: loaders whose batches become pairs of large and small images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

Pair = tuple[Tensor, Tensor]


class PairLoader:
    """Another loader's batches, each made a pair; the order and the place are the other's.

    Args:
        loader: A loader of lightning-gan's, or a DataLoader.
        make: Makes ``(large, small)`` of one of its batches.
    """

    batch_sampler = None  # Lightning reads it of every loader that has a sampler

    def __init__(self, loader: Any, make: Callable[[Any], Pair]) -> None:
        self.loader = loader
        self.make = make

    @property
    def sampler(self) -> Any:
        """The loader's, which Lightning tells the epoch."""
        return self.loader.sampler

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Pair]:
        for batch in self.loader:
            yield self.make(batch)

    def state_dict(self) -> dict[str, Any]:
        """Return the loader's place."""
        state: dict[str, Any] = self.loader.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the loader go on at a saved place."""
        self.loader.load_state_dict(state)
