"""One update of a player in a loop that may take several batches for it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lightning_gan.game.guard import Guard
from lightning_gan.game.objective import Due, Objective
from lightning_gan.game.readings import Reading, read_outputs
from lightning_gan.game.side import Side
from lightning_gan.step import AdversarialStep


class Update:
    """A player's update as far as it is computed: on one batch, or on several that make it up.

    A batch takes part once it is noted: one that fails before leaves nothing behind.

    Args:
        side: The player.
        objective: The terms.
        guard: What it puts back where the update is left out.

    Attributes:
        side: The player.
        guard: The guard.
        sizes: The number of samples of each batch so far.
        acts: Whether there was anything to minimise.
    """

    def __init__(self, side: Side, objective: Objective, guard: Guard) -> None:
        self.side, self.guard = side, guard
        self.sizes: list[int] = []
        self.acts = False
        self._objective = objective
        self._readings: list[Reading] = []
        self._factors: Mapping[str, Tensor] | None = None  # chosen on the first batch

    def next(self) -> Update:
        """Return the update after this one."""
        return Update(self.side, self._objective, self.guard)

    def compute(self, step: AdversarialStep, due: Due) -> tuple[Tensor | None, Reading]:
        """Return what the player minimises on a batch, and what the batch told."""
        weight, signs = self.side.settings.weight, bool(self._objective.observers())
        objective, reading = self._objective.compute(step, due, weight, self._factors)
        read_outputs(step, reading, signs=signs)
        return objective, reading

    def share(self, size: int) -> float:
        """Return the size of a batch in multiples of the first one's."""
        return size / self.sizes[0] if self.sizes else 1.0

    def note(self, size: int, reading: Reading | None, *, acts: bool) -> None:
        """Note that a batch of this size took part, and what it told."""
        self.sizes.append(size)
        self.acts |= acts
        if reading is not None:
            self._readings.append(reading)
            if self._objective.balance is not None:
                self._factors = reading.factors

    def divide(self) -> None:
        """Make the gradients, sums of shares, those of the mean over all samples."""
        if len(self.sizes) > 1:
            for parameter in self.side.with_gradient():
                assert parameter.grad is not None
                parameter.grad *= self.sizes[0] / sum(self.sizes)

    def reading(self) -> Reading | None:
        """Return what all batches told, averaged; None where nothing was computed."""
        if len(self._readings) < 2:
            return self._readings[0] if self._readings else None
        whole = Reading()
        for size, reading in zip(self.sizes, self._readings, strict=True):
            whole.add(reading, size / sum(self.sizes))
        return whole
