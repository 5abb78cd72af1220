"""Learning-rate schedulers that end, against the steps that their players are going to make."""

from __future__ import annotations

import copy

from torch.optim.lr_scheduler import OneCycleLR

from lightning_gan.errors import InputError
from lightning_gan.game.gan import GAN
from lightning_gan.game.side import Side
from lightning_gan.types import Player


def check_endings(gan: GAN, sides: tuple[Side, Side], batches: int) -> None:
    """Refuse a scheduler that ends before the training.

    Only what is sure: where a player's turns depend on what is measured, or a weight of 0 may leave
    out its updates, the last step of the scheduler says so.

    Args:
        gan: The GAN.
        sides: Both sides, with their schedulers.
        batches: Batches that are going to be trained.

    Raises:
        InputError: One ends.
    """
    for side in sides:
        scheduler = side.scheduler
        if not isinstance(scheduler, OneCycleLR) or _may_rest(gan, side):
            continue
        steps = scheduler.last_epoch + _steps(gan, side.player, batches)
        if steps > scheduler.total_steps:
            raise InputError(
                f"{side.settings.named('lr_scheduler')} is OneCycleLR and ends after "
                f"{scheduler.total_steps:,} steps, and the {side.player.value} makes {steps:,}: "
                f"set its total_steps to {steps}, or train for fewer batches"
            )


def _may_rest(gan: GAN, side: Side) -> bool:
    weight = side.settings.named("weight")
    return gan.alternation.observes or side.settings.weight == 0 or weight in gan.schedules


def _steps(gan: GAN, player: Player, batches: int) -> int:
    """Return how many steps a player makes on the batches to come: the turns, gone through."""
    alternation, progress, steps = copy.deepcopy(gan.alternation), gan.progress, 0
    for _ in range(batches):
        phases = alternation.phases(progress)
        steps += phases.count(player)
        for each in phases:
            progress = progress.after_step(each)
        progress = progress.after_batch(1)
    return steps
