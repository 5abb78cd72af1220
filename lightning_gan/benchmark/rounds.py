"""Rounds of the hand-written loops in between those of a running Trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch

from lightning_gan.benchmark.clock import Cost, Stopwatch
from lightning_gan.benchmark.loops import HandLoop
from lightning_gan.benchmark.plan import WARMUP, Plan

OURS = "lightning-gan"


class Rounds(pl.Callback):
    """Stop the Trainer's clock every ``plan.steps`` batches and let the other loops do as many.

    The clock stops and starts at one place of Lightning's loop, where a batch begins: what lies
    between is whole batches with their loading, logging, bar and checkpoints. The first batches of
    every loop are not timed.

    Args:
        plan: How many rounds of how many batches.
        loops: The other loops by name.
        device: Where all of them train.

    Attributes:
        costs: What each round cost, by loop.
    """

    def __init__(self, plan: Plan, loops: Mapping[str, HandLoop], device: torch.device) -> None:
        self.costs: dict[str, list[Cost]] = {name: [] for name in (OURS, *loops)}
        self._plan = plan
        self._loops = loops
        self._stopwatch = Stopwatch(device)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Hand over to the other loops, if a round ends here."""
        done = trainer.global_step - WARMUP
        rounds, rest = divmod(done, self._plan.steps)
        if done < 0 or rest or rounds > self._plan.rounds:
            return
        if rounds == 0:
            for loop in self._loops.values():
                loop.run(WARMUP)
        else:
            self.costs[OURS].append(self._stopwatch.lap())
            for name, loop in self._loops.items():
                self._stopwatch.start()
                loop.run(self._plan.steps)
                self.costs[name].append(self._stopwatch.lap())
        self._stopwatch.start()
