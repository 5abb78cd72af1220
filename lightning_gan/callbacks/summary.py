"""What a person wants to know when a run has ended: where things are, how it went, what next."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint, ModelSummary
from pytorch_lightning.loggers import CSVLogger

from lightning_gan.callbacks.best_checkpoint import best_of
from lightning_gan.callbacks.durations import SpeedMeter, duration, roughly
from lightning_gan.callbacks.head import head, row
from lightning_gan.callbacks.sink import leaves_files, run_folder, shown_path
from lightning_gan.files.names import CONFIG, LOSSES, METRICS

SHOWN = ("loss/discriminator", "loss/generator")


class RunSummary(pl.Callback):
    """Print at the beginning what is trained, and at the end where its files are and what is next.

    The head has five lines: networks, data, device, folder and length of the run. Some seconds
    later a sixth says how long it takes on this machine. At the end only files that exist are
    named. Nothing is printed for a ``fast_dev_run``.

    Args:
        full: Show Lightning's table of all parts beside the head.
    """

    def __init__(self, full: bool = False) -> None:
        self.full = full
        self._folder = Path()
        self._started_at = 0.0
        self._images_before = 0
        self._speed: SpeedMeter | None = None
        self._seconds: float | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the table, where it is asked for."""
        if self.full:
            ModelSummary(max_depth=2).on_fit_start(trainer, pl_module)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the head and start the clock."""
        self._folder = run_folder(trainer)
        if trainer.is_global_zero and leaves_files(trainer):
            print("\n".join(head(trainer, pl_module, self._folder)), flush=True)
            self._speed = SpeedMeter(trainer.global_step)
        self._seconds = None
        self._images_before = _images(pl_module) or 0
        self._started_at = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any
    ) -> None:
        """Say once how long the run takes."""
        left = None if self._speed is None else self._speed.left(trainer)
        if left is not None:
            seconds, each = left
            print(row("time", f"{roughly(seconds)} to go, {each:.3g} s a step"), flush=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock when the device has done its work."""
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        self._seconds = time.perf_counter() - self._started_at

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Print the summary, when every other callback has written its last files."""
        finished = stage == "fit" and self._seconds is not None
        if not finished or not trainer.is_global_zero or not leaves_files(trainer):
            return
        for logger in trainer.loggers:
            logger.save()  # metrics.csv may not be there yet
        checkpoint = _last_checkpoint(trainer)
        rows = [*self._places(trainer, checkpoint), *self._numbers(trainer, pl_module)]
        self._seconds = None
        _print_table(rows, self._next_steps(trainer, pl_module, checkpoint))

    def _places(self, trainer: pl.Trainer, checkpoint: Path | None) -> list[tuple[str, str]]:
        metrics = [
            Path(logger.log_dir) / METRICS
            for logger in trainer.loggers
            if isinstance(logger, CSVLogger)
        ]
        best = best_of(trainer)
        found = {
            "run folder": self._folder,
            "last checkpoint": checkpoint,
            "best checkpoint": None if best is None else Path(best.best_model_path),
            "last sample grid": _newest(self._folder.glob("samples/grid-*.png")),
            "loss curves": self._folder / LOSSES,
            "metrics": _newest(metrics),
        }
        return [
            (name, str(shown_path(path))) for name, path in found.items() if path and path.exists()
        ]

    def _numbers(self, trainer: pl.Trainer, module: pl.LightningModule) -> list[tuple[str, str]]:
        seconds = self._seconds or 0.0
        rows = [("steps", f"{trainer.global_step:,}"), ("epochs", f"{trainer.current_epoch:,}")]
        images = _images(module)
        if images is not None:
            rows.append(("images seen", f"{images:,}"))
        rows.append(("training time", duration(seconds)))
        if images is not None and seconds > 0:
            rows.append(("images per second", f"{(images - self._images_before) / seconds:,.0f}"))
        best = best_of(trainer)
        if best is not None:
            rows.append(("best score", best.said))
        metrics = getattr(module, "latest_metrics", {})
        return rows + [(key, f"{float(metrics[key]):.4g}") for key in SHOWN if key in metrics]

    def _next_steps(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: Path | None
    ) -> list[str]:
        """Return lines to paste: commands for a run of the command, Python for others."""
        if checkpoint is None:
            return []
        config, path = self._folder / CONFIG, str(shown_path(checkpoint))
        if not config.exists():
            return [f"{type(module).__name__}.load_from_checkpoint({path!r}).sample(64)"]
        arguments = (
            f"--config {shlex.quote(str(shown_path(config)))} --ckpt_path {shlex.quote(path)}"
        )
        limits = {
            "max_steps": (trainer.global_step, trainer.max_steps),
            "max_epochs": (trainer.current_epoch, trainer.max_epochs),
        }
        further = [
            f" --trainer.{name}={2 * limit}"
            for name, (reached, limit) in limits.items()
            if limit and 0 < limit <= reached
        ]
        return [
            f"lightning-gan report {shlex.quote(str(shown_path(self._folder)))} --open",
            f"lightning-gan predict {arguments}",
            f"lightning-gan fit {arguments}{''.join(further)}",
        ]


def _images(module: pl.LightningModule) -> int | None:
    images: int | None = getattr(getattr(module, "progress", None), "images", None)
    return images


def _last_checkpoint(trainer: pl.Trainer) -> Path | None:
    """Return the file of the newest state, "last.ckpt" where there is one."""
    writers = [c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint)]
    last = _newest(Path(c.last_model_path) for c in writers if c.last_model_path)
    return last or _newest(Path(c.best_model_path) for c in writers if c.best_model_path)


def _newest(paths: Iterable[Path]) -> Path | None:
    existing = [path for path in paths if path.exists()]
    return max(existing, key=lambda path: path.stat().st_mtime_ns, default=None)


def _print_table(rows: list[tuple[str, str]], next_steps: list[str]) -> None:
    """Print a table on a terminal, aligned plain lines elsewhere; commands are never wrapped."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        table = Table(title="Run", show_header=False, title_justify="left")
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    else:
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            console.print(f"{name:<{width}}  {value}", soft_wrap=True)
    for line in next_steps:
        console.print(f"next: {line}", soft_wrap=True)
