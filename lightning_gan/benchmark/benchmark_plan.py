"""How long a benchmark runs; checked before anything is loaded. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_gan.errors import InputError

WARMUP = 5


@dataclass(frozen=True, kw_only=True)
class BenchmarkPlan:
    """The size of a benchmark.

    Args:
        rounds: Timed rounds; each gives one ratio of every pair of loops.
        steps: Batches of each loop in a round. 50 hold one log, with the usual
            trainer.log_every_n_steps.

    Raises:
        InputError: A number is below 1.
    """

    rounds: int = 5
    steps: int = 50

    def __post_init__(self) -> None:
        for name in ("rounds", "steps"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise InputError(f"{name} must be a whole number from 1, got {value!r}")

    @property
    def batches(self) -> int:
        """Batches of the measured module: the untimed first ones, the rounds, and one to end on."""
        return WARMUP + self.rounds * self.steps + 1
