"""``lr-generator`` and ``lr-discriminator`` in the log of Lightning's LearningRateMonitor.

By itself it names rates after the classes of optimizers, ``lr-Adam`` and ``lr-Adam-1``. This is the
one file that touches its private name ``_check_duplicates_and_update_name``;
``tests/training/test_rates.py`` guards it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import LearningRateMonitor
from torch.optim import Optimizer

from lightning_gan.game.side import Side


def name_rates(trainer: Trainer, sides: Sequence[Side]) -> None:
    """Let every LearningRateMonitor of a trainer call the rates by their players.

    A group of parameters with a name adds it: ``lr-generator/mapping``. A scheduler that
    ``configure_optimizers`` gave a name keeps it.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, LearningRateMonitor):
            callback._check_duplicates_and_update_name = _Names(sides)  # type: ignore[assignment, method-assign]


class _Names:
    """Stands in for the method that names the rates of one optimizer."""

    def __init__(self, sides: Sequence[Side]) -> None:
        self._players = [(side.optimizer, side.player.value) for side in sides]

    def __call__(
        self, optimizer: Optimizer, name: str, seen: list[Optimizer], types: Any, config: Any
    ) -> list[str]:
        seen.append(optimizer)
        if config is None or config.name is None:
            found = (player for own, player in self._players if own is optimizer)
            name = f"lr-{next(found, name.removeprefix('lr-'))}"
        groups = [group.get("name") for group in optimizer.param_groups]
        if groups == [None]:
            return [name]
        return [f"{name}/{group or f'pg{i}'}" for i, group in enumerate(groups, start=1)]
