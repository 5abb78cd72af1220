"""Values of training on their way to loggers, progress bar and whoever monitors them.

They go in one piece, past ``self.log``, which costs half a millisecond a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from pytorch_lightning import Trainer
from torch import Tensor

from lightning_gan.game.ranks import average
from lightning_gan.game.readings import Reading, Readings
from lightning_gan.game.side import Side
from lightning_gan.types import Progress

COUNTS = ("images", "rounds", "discriminator_steps", "generator_steps")


@dataclass
class Latest:
    """The latest values that were logged.

    Attributes:
        metrics: Scalars by key.
        step: Batches of the fit up to and with the last one that they are about.
    """

    metrics: dict[str, Tensor] = field(default_factory=dict)
    step: int = 0


def named(readings: Readings) -> dict[str, Tensor]:
    """Return what a batch told by its keys in the log."""
    found: dict[str, Tensor | None] = {}
    if readings.discriminator is not None:
        found.update(of_side("discriminator", readings.discriminator))
    if readings.generator is not None:
        found.update(of_side("generator", readings.generator))
    found.update(readings.reports)
    judged = readings.judged
    found["logits/real"] = judged.real_logits
    found["logits/fake"] = judged.fake_logits
    return {key: value for key, value in found.items() if value is not None}


def of_side(player: str, reading: Reading) -> dict[str, Tensor | None]:
    """Return the losses and terms of one player's update by their keys in the log."""
    found: dict[str, Tensor | None] = {f"loss/{player}": reading.loss}
    for name, term in reading.terms.items():
        found[f"regularizer/{name}"] = term
    for name, factor in reading.factors.items():
        found[f"weight/{player}/{name}"] = factor
    found[f"grad_norm/{player}"] = reading.gradient_norm
    return found


def skipped(*sides: Side) -> dict[str, Tensor]:
    """Return how many updates of each player that ever stepped have been left out."""
    counts = {f"skipped/{side.player.value}": side.skipped.count() for side in sides}
    return {key: torch.tensor(float(n)) for key, n in counts.items() if n is not None}


def averaged(means: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Return scalars averaged over ranks, float32 on the host: one all-reduce and one wait.

    Args:
        means: Scalars on any device, the same keys on all ranks.
        device: Where ranks exchange values.
    """
    if not means:
        return {}
    values = torch.stack([value.to(device, torch.float32) for value in means.values()])
    average([values])
    return dict(zip(means, values.cpu().unbind(), strict=True))


def counts(progress: Progress) -> dict[str, Tensor]:
    """Return the counts as scalars."""
    found = {f"progress/{name}": float(getattr(progress, name)) for name in COUNTS}
    return {key: torch.tensor(count, dtype=torch.float64) for key, count in found.items()}


def send(trainer: Trainer, metrics: dict[str, Tensor], step: int) -> None:
    """Send metrics to the loggers, the progress bar and whoever monitors them.

    Args:
        trainer: Whose loggers and monitors.
        metrics: Scalars on the host.
        step: Batches up to and with the last one that the metrics are about.
    """
    trainer.callback_metrics.update(metrics)
    trainer.logged_metrics.update(metrics)
    named = {key: value.item() for key, value in metrics.items()}
    shown = {key: value for key, value in named.items() if key.startswith("loss/")}
    trainer.progress_bar_metrics.update(shown)
    for logger in trainer.loggers:
        logger.log_metrics({**named, "epoch": trainer.current_epoch}, step - 1)
        logger.save()
