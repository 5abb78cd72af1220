"""Short timed pieces of training that take turns, for the scripts beside this file."""

from __future__ import annotations

import logging
import statistics
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch

from lightning_gan.benchmark.timers import Cost, Stopwatch

WARMUP = 3
CPU = torch.device("cpu")
LEAN = {
    "accelerator": "cpu",
    "enable_checkpointing": False,
    "enable_model_summary": False,
    "enable_progress_bar": False,
    "limit_val_batches": 0,
    "logger": False,
}


class Lap(pl.Callback):
    """Times whole batches, from where one begins to where one begins, after the first few."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.cost: Cost | None = None
        self.watch = Stopwatch(CPU)

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == WARMUP:
            self.watch.start()
        elif trainer.global_step == WARMUP + self.steps:
            self.cost = self.watch.lap()


def timed(gan: pl.LightningModule, data: Any, steps: int, **trainer: Any) -> Cost:
    """Train a module on and return what ``steps`` batches cost."""
    lap = Lap(steps)
    settings = {**LEAN, "max_steps": WARMUP + steps + 1, **trainer}
    settings["callbacks"] = [*settings.get("callbacks", []), lap]
    loader = {
        "datamodule" if isinstance(data, pl.LightningDataModule) else "train_dataloaders": data
    }
    pl.Trainer(**settings).fit(gan, **loader)
    assert lap.cost is not None
    return lap.cost


def in_turns(contestants: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Let all take turns, one unmeasured round and then ``rounds`` of them."""
    costs: dict[str, list[Cost]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, run in contestants.items():
            cost = run()
            if number:
                costs[name].append(cost)
    return costs


def ratio(costs: list[Cost], other: list[Cost]) -> tuple[float, float, float]:
    """Return how much faster the first is by processor time: median, least and most of a round."""
    ratios = [theirs.cpu / ours.cpu for ours, theirs in zip(costs, other, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def quiet(threads: int) -> None:
    """Leave out Lightning's sentences, and compute with so many threads."""
    torch.set_num_threads(threads)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
