"""Running means of detached scalars that stay on their device until they are logged."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class Meter:
    """Means by key since the last flush; adding is one operation on the device, without a wait."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def __bool__(self) -> bool:
        """Whether anything has been added since the last flush."""
        return bool(self._sums)

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add detached scalar tensors by their keys."""
        sums, counts = self._sums, self._counts
        for key, value in values.items():
            if key in sums:
                sums[key] = sums[key] + value
                counts[key] += 1
            else:
                sums[key], counts[key] = value, 1

    def flush(self) -> dict[str, Tensor]:
        """Return the means and forget them."""
        means = {key: total / self._counts[key] for key, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means

    def state_dict(self) -> dict[str, dict[str, Tensor] | dict[str, int]]:
        """Return the unfinished means, so that a resumed run logs what the whole run would."""
        sums = {key: total.cpu() for key, total in self._sums.items()}
        return {"sums": sums, "counts": dict(self._counts)}

    def load_state_dict(
        self, state: dict[str, dict[str, Tensor] | dict[str, int]], device: torch.device
    ) -> None:
        """Take over what :meth:`state_dict` returned, on the device of what will be added."""
        self._sums = {key: total.to(device) for key, total in state["sums"].items()}  # type: ignore[union-attr]
        self._counts = dict(state["counts"])  # type: ignore[arg-type]
