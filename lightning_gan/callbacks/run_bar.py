"""One bar for a whole run: steps, time left, images a second and the losses."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, Task, TaskID, TextColumn
from rich.table import Column

from lightning_gan.callbacks.best_checkpoint import best_of
from lightning_gan.callbacks.durations import duration, planned_steps

REDRAWN_S = 0.5
FIRST_LINE_S = 5.0
LINE_S = 30.0
WIDE = 120  # columns in which the best score has room
LOSSES = {"loss/discriminator": "D", "loss/generator": "G"}


class RunBar(ProgressBar):
    """Show how far a run is, in batches of the whole run and not of an epoch.

    On a terminal it is one bar that fits into 80 columns. Elsewhere, in a file, a pipe or a
    notebook, it is a line after some seconds and then every half minute. Validation while training
    shows nothing; ``validate``, ``test`` and ``predict`` have a bar of their own batches.
    """

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._meter: ProgressMeter | None = None

    def disable(self) -> None:
        """Show nothing, as on other processes than the first."""
        self._enabled = False

    def enable(self) -> None:
        """Show the bar."""
        self._enabled = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the bar at the step that training begins at."""
        self._begin("training", planned_steps(trainer), trainer.global_step, _images(pl_module))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any
    ) -> None:
        """Move the bar, twice a second at most."""
        meter = self._meter
        if meter is not None and time.perf_counter() >= meter.due:
            values = getattr(pl_module, "latest_metrics", {})
            meter.show(trainer.global_step, _images(pl_module), values, _best(trainer))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the last state and leave it standing."""
        if self._meter is not None and self._meter.bar is not None:
            values = getattr(pl_module, "latest_metrics", {})
            self._meter.show(trainer.global_step, _images(pl_module), values, _best(trainer))
        self._end()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Leave the terminal as it was."""
        self._end()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Leave the terminal as it was."""
        self._end()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin a bar where validation is all there is to do."""
        if trainer.state.fn == "validate":
            self._begin("validating", _total(trainer.num_val_batches))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the bar, before the table of results."""
        if trainer.state.fn == "validate":
            self._end()

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the bar, before the table of results."""
        self._end()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the bar."""
        self._begin("testing", _total(trainer.num_test_batches))

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the bar."""
        self._begin("predicting", _total(trainer.num_predict_batches))

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any
    ) -> None:
        """Move the bar."""
        if trainer.state.fn == "validate":
            self._advance()

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any
    ) -> None:
        """Move the bar."""
        self._advance()

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any
    ) -> None:
        """Move the bar."""
        self._advance()

    def _begin(self, what: str, total: int | None, start: int = 0, images: int = 0) -> None:
        self._end()
        if self._enabled:
            self._meter = ProgressMeter(what, total, start, images)

    def _advance(self) -> None:
        if self._meter is not None:
            self._meter.done += 1
            if time.perf_counter() >= self._meter.due:
                self._meter.show(self._meter.done, 0, {})

    def _end(self) -> None:
        if self._meter is not None:
            self._meter.close()
            self._meter = None


class ProgressMeter:
    """The bar of one job on a terminal, and its lines elsewhere.

    Args:
        what: What is done, one word.
        total: Steps at the end; None where nobody knows.
        start: Steps at the beginning.
        images: Images seen at the beginning.
        console: Where to write; None: standard output.

    Attributes:
        bar: On a terminal.
        due: When to show it next, by ``time.perf_counter``.
        done: Steps shown last.
        is_drawing: Whether one of them has a bar on the terminal now.
    """

    is_drawing = False

    def __init__(
        self,
        what: str,
        total: int | None,
        start: int = 0,
        images: int = 0,
        console: Console | None = None,
    ) -> None:
        self._what, self._total, self._start, self._images = what, total, start, images
        self._console = console or Console(highlight=False, markup=False)
        self._began = time.perf_counter()
        self.done = start
        self.bar: Progress | None = None
        self._task = TaskID(0)
        self.due = self._began + FIRST_LINE_S
        terminal = self._console.is_terminal and not self._console.is_dumb_terminal
        if terminal and not ProgressMeter.is_drawing:  # beside another bar this one has lines
            self.bar = _bar(self._console)
            self._task = self.bar.add_task(what, total=total, completed=start, left="", more="")
            self.bar.start()
            self.due = self._began
            ProgressMeter.is_drawing = True

    def show(self, step: int, images: int, values: Mapping[str, Any], best: str = "") -> None:
        """Show a state.

        Args:
            step: Steps done.
            images: Images seen; 0: their speed is of no interest.
            values: The last values by key, the losses among them.
            best: The best score so far, in words; a terminal has it where it is wide.
        """
        now = time.perf_counter()
        passed = max(now - self._began, 1e-9)
        speed = (step - self._start) / passed
        left = None if not speed or self._total is None else (self._total - step) / speed
        of_images = (images - self._images) / passed
        losses = {short: float(values[key]) for key, short in LOSSES.items() if key in values}
        self.done = step
        if self.bar is not None:
            texts = [f"{of_images:,.0f} img/s"] if of_images else []
            texts += [f"{short} {value:.3g}" for short, value in losses.items()]
            texts += [f"best {best}"] if best and self._console.width >= WIDE else []
            left_text = "" if left is None else f"{duration(left)} left"
            self.bar.update(self._task, completed=step, left=left_text, more=" ".join(texts))
            self.bar.refresh()
            self.due = now + REDRAWN_S
            return
        texts = [f"step {step:,}" + ("" if self._total is None else f" of {self._total:,}")]
        texts += [] if left is None else [f"{duration(left)} left"]
        texts += [f"{of_images:,.0f} images a second"] if of_images else []
        texts += [f"loss {short} {value:.3g}" for short, value in losses.items()]
        texts += [f"best so far {best}"] if best else []
        self._console.print(f"{self._what}: {', '.join(texts)}", soft_wrap=True)
        self.due = now + LINE_S

    def close(self) -> None:
        """Leave the last state standing."""
        if self.bar is not None:
            self.bar.update(self._task, completed=self.done)
            self.bar.refresh()
            self.bar.stop()
            self.bar = None
            ProgressMeter.is_drawing = False


class _Steps(TextColumn):
    def render(self, task: Task) -> Any:
        total = "" if task.total is None else f"/{task.total:,.0f}"
        return f"{task.completed:,.0f}{total}"


def _bar(console: Console) -> Progress:
    still = Column(no_wrap=True)
    return Progress(
        TextColumn("{task.description}", table_column=still),
        BarColumn(bar_width=None),
        _Steps("", table_column=still),
        TextColumn("{task.fields[left]}", table_column=still),
        TextColumn("{task.fields[more]}", table_column=still),
        console=console,
        auto_refresh=False,
        expand=True,
    )


def _best(trainer: pl.Trainer) -> str:
    kept = best_of(trainer)
    return "" if kept is None else kept.said


def _total(batches: Any) -> int | None:
    counts = batches if isinstance(batches, list) else [batches]
    return None if float("inf") in counts else int(sum(counts))


def _images(module: pl.LightningModule) -> int:
    return int(getattr(getattr(module, "progress", None), "images", 0))
