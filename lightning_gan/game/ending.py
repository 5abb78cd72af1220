"""Learning-rate schedulers that end, against the steps that their players are going to make."""

from __future__ import annotations

import copy
from dataclasses import replace

from torch.optim.lr_scheduler import OneCycleLR

from lightning_gan.alternations.base import Alternation
from lightning_gan.errors import InputError
from lightning_gan.game.gan import GAN
from lightning_gan.game.side import Side
from lightning_gan.types import Player, Progress

ROUND = 32  # batches in which turns show what they depend on


def check_endings(gan: GAN, sides: tuple[Side, Side], batches: int) -> None:
    """Refuse a scheduler that ends before the training.

    Only what is sure: where a player's turns depend on what is measured or on images, or a weight
    of 0 may leave out its updates, the last step of the scheduler says so.

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
    unsure = gan.alternation.observes or _counts_images(gan.alternation, gan.progress)
    return unsure or side.settings.weight == 0 or weight in gan.schedules


def _counts_images(alternation: Alternation, progress: Progress) -> bool:
    """Whether turns depend on the images seen, of which nobody knows here how many will be."""
    for _ in range(ROUND):
        few, many = replace(progress, images=0), replace(progress, images=10**12)
        if alternation.phases(few) != alternation.phases(many):
            return True
        progress = progress.after_batch(1)
    return False


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
