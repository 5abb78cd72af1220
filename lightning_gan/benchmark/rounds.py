"""Rounds of the hand-written loops in between those of a running Trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch

from lightning_gan.benchmark.benchmark_plan import WARMUP, BenchmarkPlan
from lightning_gan.benchmark.loops import HandLoop
from lightning_gan.benchmark.timers import Cost, Stopwatch

OURS = "lightning-gan"
SLICE = 5  # batches after which the loops take turns; a shared machine's speed drifts in seconds


class Rounds(pl.Callback):
    """Stop the Trainer's clock every few batches and let the other loops do as many.

    The clock stops and starts at one place of Lightning's loop, where a batch begins: what lies
    between is whole batches with their loading, logging, bar and checkpoints. ``plan.steps``
    batches of every loop are a round. The first batches of every loop are not timed.

    Args:
        plan: How many rounds of how many batches.
        loops: The other loops by name.
        device: Where all of them train.

    Attributes:
        costs: What each round cost, by loop.
    """

    def __init__(
        self, plan: BenchmarkPlan, loops: Mapping[str, HandLoop], device: torch.device
    ) -> None:
        self.costs: dict[str, list[Cost]] = {name: [] for name in (OURS, *loops)}
        self._plan = plan
        self._loops = loops
        self._stopwatch = Stopwatch(device)
        self._round: dict[str, Cost] = {}
        self._since = 0  # batches done when the Trainer's clock was started

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Hand over to the other loops, if a slice or a round ends here."""
        done = trainer.global_step - WARMUP
        within = done % self._plan.steps
        if done < 0 or done > self._plan.rounds * self._plan.steps or within % SLICE:
            return
        if done == 0:
            for loop in self._loops.values():
                loop.run(WARMUP)
        else:
            self._add(OURS)
            for name, loop in self._loops.items():
                self._stopwatch.start()
                loop.run(done - self._since)
                self._add(name)
            if within == 0:
                for name, cost in self._round.items():
                    self.costs[name].append(cost)
                self._round = {}
        self._since = done
        self._stopwatch.start()

    def _add(self, name: str) -> None:
        cost = self._stopwatch.lap()
        self._round[name] = cost + self._round[name] if name in self._round else cost
