"""Training gone wrong, recognized while it trains: what is seen, since when, what to change."""

from __future__ import annotations

import json
import math
from collections import deque
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_gan.callbacks.health.measures import measure_health
from lightning_gan.callbacks.health.rules import (
    RULES,
    WINDOW,
    WINNING,
    Check,
    Known,
    Rule,
    Streak,
)
from lightning_gan.callbacks.periodic import Periodic, check_positive
from lightning_gan.callbacks.sink import leaves_files, run_folder
from lightning_gan.errors import InputError
from lightning_gan.files.names import HEALTH
from lightning_gan.game import randomness
from lightning_gan.game.gan import GAN
from lightning_gan.game.side import Side

ACTIONS = ("warn", "stop", "restart")
LOGGED = ("spread", "duplicates", "d_accuracy")


class HealthMonitor(Periodic):
    """Watch for the ways in which GANs fail, and say which setting to change.

    Every ``every_n_steps`` batches the rules look at what the module logs, at a small sample and at
    the weights:

    - ``not_finite``: NaN or infinite weights
    - ``left_out``: NaN or infinite losses, logits or gradients; GANModule leaves such updates out
    - ``mode_collapse``: samples (of one class, where there are classes) that differ little, are
      near copies, or are of few classes (``val/class_entropy``, where it is measured)
    - ``no_start``: D has won from the beginning, and G has not come back
    - ``vanishing_gradient``: G loses and its loss tells it next to nothing
    - ``overpowering``: D wins without fail, after a time in which it did not
    - ``oscillation``: a loss, or the gap between the logits, swings widely around its mean

    What holds for ``patience`` checks in a row (a NaN: at once) is a finding: one line on the
    terminal and one object in ``health.jsonl`` in the run's folder, and again only after it was
    away for as long and came back. Loggers get ``health/<finding>``, 0 or 1, and the measured
    ``health/spread``, ``health/duplicates`` and ``health/d_accuracy`` at every check. What was seen
    so far is part of the checkpoint.

    Args:
        every_n_steps: Batches between checks.
        n: Size of the sample, and largest number of real samples it is compared with.
        patience: Checks in a row that something must hold to be a finding.
        on_finding: "warn" goes on training. "stop" ends it, with its last checkpoint, at the first
            of the findings a run does not come back from: ``not_finite``, ``mode_collapse``,
            ``no_start`` and ``vanishing_gradient``. "restart" ends it too,
            and lets the command begin again with the next seed in a new run folder; in Python
            that is up to the script, which finds the reason in ``ended_by``.
        max_restarts: How often the command begins again.

    Attributes:
        ended_by: The finding that ended training, or None.

    Raises:
        InputError: A number is out of range, ``on_finding`` is none of the three, or the module is
            no GANModule.
    """

    at_end = False

    def __init__(
        self,
        every_n_steps: int = 200,
        n: int = 128,
        patience: int = 5,
        on_finding: Literal["warn", "stop", "restart"] = "warn",
        max_restarts: int = 3,
    ) -> None:
        check_positive("HealthMonitor", n=n, patience=patience, max_restarts=max_restarts)
        if on_finding not in ACTIONS:
            raise InputError(
                f"HealthMonitor: on_finding must be one of {', '.join(ACTIONS)}, got {on_finding!r}"
            )
        super().__init__(every_n_steps)
        self.n = n
        self.patience = patience
        self.on_finding = on_finding
        self.max_restarts = max_restarts
        self.ended_by: str | None = None
        self._batch: Any = None
        self._pending: list[dict[str, Tensor]] = []
        self._recorded_at = -1
        self._folder = Path()
        self._forget()

    def check(self, module: Any) -> None:
        """Refuse a module that is not one of ours."""
        if not isinstance(module, GAN):
            raise InputError(
                f"HealthMonitor expects a GANModule, got {type(module).__name__}; "
                "leave this callback out"
            )

    def start(self, trainer: pl.Trainer, module: Any) -> None:
        """Find the folder; forget an earlier run of this object."""
        self._folder = run_folder(trainer)
        self._pending, self._recorded_at = [], getattr(module, "latest_metrics_step", -1)
        self.ended_by = None
        if trainer.global_step == 0:
            self._forget()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Check the batch where it is due, and hold it no longer than that."""
        self._batch = batch
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        self._batch = None

    def see(self, trainer: pl.Trainer, module: Any, batch: Any) -> None:
        """Take new metrics, which stay on the device."""
        if module.latest_metrics and module.latest_metrics_step != self._recorded_at:
            self._recorded_at = module.latest_metrics_step
            metrics = module.latest_metrics.items()
            self._pending.append({k: v for k, v in metrics if not k.startswith("progress/")})

    def act(self, trainer: pl.Trainer, module: Any) -> None:
        """Ask the rules what they see, and tell what they found."""
        check = self._take(trainer, module)
        # Nothing else means anything where numbers are not finite.
        broken = any(rule.look(check) is not None for rule in RULES if rule.at_once)
        for rule in RULES:
            seen = rule.look(check) if rule.at_once or not broken else None
            streak = self._streaks[rule.name]
            if streak.note(trainer.global_step, seen is not None, self._needed(rule)):
                self._tell(trainer, rule, str(seen), check)
        self._log(trainer, check)

    def state_dict(self) -> dict[str, Any]:
        """Return what earlier checks saw, and the metrics since the last one."""
        pending = [{key: float(value) for key, value in point.items()} for point in self._pending]
        return {
            "window": [*self._window, *pending],
            "spreads": list(self._spreads),
            "streaks": {name: vars(streak).copy() for name, streak in self._streaks.items()},
            "contested": self._contested,
            "largest_gradient": self._largest_gradient,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self._forget()
        self._window.extend(state_dict["window"])
        self._spreads.extend(state_dict["spreads"])
        self._streaks.update({k: Streak(**v) for k, v in state_dict["streaks"].items()})
        self._contested = state_dict["contested"]
        self._largest_gradient = state_dict["largest_gradient"]

    def _forget(self) -> None:
        self._window: deque[dict[str, float]] = deque(maxlen=WINDOW)
        self._spreads: deque[float] = deque(maxlen=self.patience)
        self._streaks = {rule.name: Streak() for rule in RULES}
        self._contested = 0  # checks at which G was up to D
        self._largest_gradient = 0.0

    def _needed(self, rule: Rule) -> int:
        return 1 if rule.at_once else self.patience

    def _take(self, trainer: pl.Trainer, module: Any) -> Check:
        """Bring everything to the host in one transfer, averaged over ranks."""
        real, y, _ = module.read(self._batch)
        seed = randomness.derive(trainer.global_rank, trainer.global_step)
        points = [*self._pending, measure_health(module, real, y, self.n, seed)]
        *logged, measured = _to_host(trainer, points, real.device)
        self._pending = []
        self._window.extend(logged)
        numbers = {**measured, **_class_count(trainer, module)}
        for point in self._window:
            numbers.update(point)
        gradients = [p.get("grad_norm/generator", 0.0) for p in self._window]
        finite = [gradient for gradient in gradients if math.isfinite(gradient)]
        self._largest_gradient = max([self._largest_gradient, *finite])
        self._contested += measured["d_accuracy"] < WINNING
        self._spreads.append(measured.get("spread", math.inf))
        return Check(
            numbers=numbers,
            window=self._window,
            settings=_settings(trainer, module, self.module_key),
            started=self._contested >= self.patience,
            largest_gradient=self._largest_gradient,
            earlier_spread=self._spreads[0],
        )

    def _tell(self, trainer: pl.Trainer, rule: Rule, seen: str, check: Check) -> None:
        """Report a finding once, and end training where that is asked for."""
        since = self._streaks[rule.name].since
        ends = rule.ends and self.on_finding != "warn"
        if ends:
            self.ended_by = rule.name
            trainer.should_stop = True
        if not trainer.is_global_zero:
            return
        finding = {
            "step": trainer.global_step,
            "finding": rule.name,
            "since_step": since,
            "message": seen,
            "advice": rule.advice(check),
            "numbers": {key: _plain(value) for key, value in check.numbers.items()},
        }
        name, end = rule.name.replace("_", " "), " Training ends here." if ends else ""
        print(
            f"health: {name} at step {trainer.global_step:,}, since step {since:,}: {seen}. "
            f"Try {finding['advice']}.{end}",
            flush=True,
        )
        if leaves_files(trainer):
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / HEALTH).open("a", encoding="utf-8") as file:
                file.write(json.dumps(finding) + "\n")

    def _log(self, trainer: pl.Trainer, check: Check) -> None:
        values = {f"health/{key}": check.numbers[key] for key in LOGGED if key in check.numbers}
        for rule in RULES:
            values[f"health/{rule.name}"] = float(self._streaks[rule.name].found)
        for logger in trainer.loggers:
            logger.log_metrics(values, trainer.global_step - 1)


def _to_host(
    trainer: pl.Trainer, points: list[dict[str, Tensor]], device: torch.device
) -> list[dict[str, float]]:
    """Return tensors as numbers, averaged over ranks; gradient norms only where they mean much."""
    values = [value.detach().float().to(device) for point in points for value in point.values()]
    means: Tensor = trainer.strategy.reduce(torch.stack(values), reduce_op="mean")
    numbers = iter(means.tolist())
    found = [{key: next(numbers) for key in point} for point in points]
    if getattr(trainer.precision_plugin, "scaler", None) is None:
        return found
    # A gradient scaler tries out how far it can go, and leaves out the steps that overflow.
    return [{k: v for k, v in p.items() if not k.startswith("grad_norm/")} for p in found]


def _settings(trainer: pl.Trainer, module: Any, module_key: str) -> Known:
    generator, discriminator = module.session.game.sides
    return Known(
        generator_lr=_rate(generator),
        discriminator_lr=_rate(discriminator),
        penalties={n: r.weight for n, r in module.regularizers.items() if r.differentiates},
        g_above=getattr(module.alternation, "g_above", None),
        module_key=module_key,
    )


def _rate(side: Side) -> float:
    """Return the learning rate of a player; 0 where all of it is frozen."""
    return 0.0 if side.optimizer is None else float(side.optimizer.param_groups[0]["lr"])


def _class_count(trainer: pl.Trainer, module: Any) -> dict[str, float]:
    """Return how many classes the samples are of, where an evaluation has classified them."""
    entropy = trainer.callback_metrics.get("val/class_entropy")
    data: Any = getattr(trainer, "datamodule", None)
    classes = getattr(module.generator, "num_classes", None) or getattr(data, "num_classes", None)
    if getattr(data, "clusters", None) is not None:  # the evaluation tells the data's own apart
        classes = data.native_classes
    if entropy is None or classes is None:
        return {}
    return {"classes": math.exp(float(entropy)), "num_classes": float(classes)}


def _plain(value: float) -> float | None:
    """Return a number that JSON has: NaN and infinity are none."""
    return value if math.isfinite(value) else None
