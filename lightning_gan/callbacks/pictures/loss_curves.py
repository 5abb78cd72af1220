"""The losses as a picture, for runs that nobody watches in a logger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from lightning_gan.callbacks.periodic import Periodic
from lightning_gan.callbacks.pictures.figures import freed, new_figure
from lightning_gan.callbacks.sink import leaves_files, run_folder
from lightning_gan.files.names import LOSSES
from lightning_gan.files.whole import unfinished

SHOWN = ("loss/", "regularizer/")
COLORS = {"loss/discriminator": "tab:blue", "loss/generator": "tab:orange"}
SMOOTH_FROM = 50  # points; shorter curves are readable as they are


class LossCurves(Periodic):
    """Draw the losses and regularizers so far in ``losses.png`` in the run's folder.

    The points are those that the loggers get, one every ``trainer.log_every_n_steps`` batches;
    curves of more than 50 points also get a moving average. The history is part of the
    checkpoint, so that a resumed run draws the whole curve.

    Args:
        every_n_steps: Batches between drawings; None: only at the end.
        every_n_rounds: Rounds between drawings, in place of steps.
        every_n_epochs: Epochs between drawings, in place of steps.

    Raises:
        InputError: A number is below 1, or both rounds and epochs are given.
    """

    at_end = False  # the last metrics come later

    def __init__(
        self,
        every_n_steps: int | None = 500,
        every_n_rounds: int | None = None,
        every_n_epochs: int | None = None,
    ) -> None:
        super().__init__(every_n_steps, every_n_rounds, every_n_epochs)
        self.history: dict[str, dict[str, list[float]]] = {}
        self._recorded_at = -1
        self._folder = Path()

    def start(self, trainer: pl.Trainer, module: Any) -> None:
        """Find the folder; forget the history of an earlier run of this object."""
        self._folder = run_folder(trainer)
        if trainer.global_step == 0:
            self.load_state_dict({"history": {}})

    def see(self, trainer: pl.Trainer, module: Any, batch: Any) -> None:
        """Take new metrics."""
        metrics = getattr(module, "latest_metrics", {})
        if not metrics or module.latest_metrics_step == self._recorded_at:
            return
        self._recorded_at = module.latest_metrics_step
        for key, value in metrics.items():
            if key.startswith(SHOWN):
                points = self.history.setdefault(key, {"steps": [], "values": []})
                points["steps"].append(float(self._recorded_at))
                points["values"].append(float(value))

    def act(self, trainer: pl.Trainer, module: Any) -> None:
        """Draw the curves so far."""
        if self.history and trainer.is_global_zero and leaves_files(trainer):
            self._folder.mkdir(parents=True, exist_ok=True)
            draw_curves(self.history, self._folder / LOSSES)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the last metrics, which appear when training has ended, and draw."""
        self.see(trainer, pl_module, None)
        self.act(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Return the history: for each key the steps and the values."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the history of a checkpoint."""
        self.history = state_dict["history"]
        last_steps = (points["steps"][-1] for points in self.history.values())
        self._recorded_at = max((int(step) for step in last_steps), default=-1)


def draw_curves(history: dict[str, dict[str, list[float]]], path: Path) -> None:
    """Draw losses, and regularizers below them, as a PNG; values that are not finite are gaps.

    Args:
        history: For each key "steps" and "values" of equal length.
        path: Where to write.
    """
    with freed(), unfinished(path) as beside:
        curves_figure(history).savefig(beside, format="png")


def curves_figure(history: dict[str, dict[str, list[float]]]) -> Any:
    """Return the curves that :func:`draw_curves` writes as a matplotlib figure."""
    panels = [[key for key in sorted(history) if key.startswith(prefix)] for prefix in SHOWN]
    panels = [keys for keys in panels if keys]
    height = 0.5 + 3.5 * len(panels)  # inches
    figure = new_figure(800, round(100 * height))
    margins = {"left": 0.08, "right": 0.98, "bottom": 0.5 / height, "top": 1 - 0.4 / height}
    figure.subplots_adjust(**margins, hspace=0.3)
    for axes, keys in zip(figure.subplots(len(panels), squeeze=False).flat, panels, strict=True):
        for index, key in enumerate(keys):
            _draw_curve(axes, key, history[key], COLORS.get(key, f"C{index + 2}"))
        axes.set_xlabel("step")
        axes.set_title("Losses" if keys[0].startswith("loss/") else "Regularizers", loc="left")
        axes.grid(alpha=0.3)
        # Above the curves, never on them.
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.99), ncols=3, frameon=False)
    return figure


def _draw_curve(axes: Any, key: str, points: dict[str, list[float]], color: str) -> None:
    import numpy as np

    steps, values = np.array(points["steps"]), np.array(points["values"])
    values[~np.isfinite(values)] = np.nan
    if len(values) <= SMOOTH_FROM:
        axes.plot(steps, values, color=color, label=key, linewidth=1.5, marker=".", markersize=4)
        return
    axes.plot(steps, values, color=color, linewidth=0.6, alpha=0.4)
    axes.plot(steps, moving_average(values), color=color, label=key, linewidth=2)


def moving_average(values: Any) -> Any:
    """Return the centered mean over a twentieth of the curve; leaves out NaN.

    Args:
        values: NumPy array of shape (N,).

    Returns:
        Array of the same shape; NaN where a window holds nothing else.
    """
    import numpy as np

    known = np.isfinite(values)
    window = np.ones((len(values) // 20) | 1)
    sums = np.convolve(np.where(known, values, 0.0), window, mode="same")
    counts = np.convolve(known.astype(float), window, mode="same")
    return np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0.5)
