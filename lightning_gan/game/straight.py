"""The straight step: what happens between gradients and the next update, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor

from lightning_gan.game.engine import Engine
from lightning_gan.game.guard import Guard
from lightning_gan.game.objective import uncast
from lightning_gan.game.optimization import clip, gradient_norm
from lightning_gan.game.side import Side
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.types import Progress


class Clock(Protocol):
    """Whoever keeps the counts."""

    progress: Progress


def add_gradients(engine: Engine, objective: Tensor, share: float) -> None:
    """Add the gradients of an objective on a piece of the batch that is this share of it."""
    # No gradient of an objective that is not finite is: 0 times it is NaN.
    factor = 0 * objective.detach() + share
    if torch.is_autocast_enabled(objective.device.type):
        with uncast(objective.device.type):  # or it would round what ran in full precision
            engine.backward(objective, factor)
    else:
        engine.backward(objective, factor)


def advance(
    side: Side,
    clock: Clock,
    *,
    engine: Engine,
    guard: Guard,
    terms: Iterable[Regularizer],
    notes_norm: bool = False,
) -> Tensor | None:
    """Let a player step on the gradients that are there.

    Args:
        side: The player.
        clock: Whose counts go on.
        engine: Averages gradients over ranks and steps.
        guard: Leaves the step out where a gradient is not finite.
        terms: The regularizers, told after the step.
        notes_norm: Whether the norm is asked for where nothing is clipped by it.

    Returns:
        The norm of the gradient before clipping, where it was computed.
    """
    optimizer, settings = side.optimizer, side.settings
    assert optimizer is not None
    engine.average([p.grad for p in side.with_gradient() if p.grad is not None])
    engine.before_step(optimizer)

    parameters = side.with_gradient()
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = None
    if notes_norm or settings.clip_norm is not None:
        norm = gradient_norm(gradients)
    guard.judge(side, gradients)  # before clipping, which hides infinity
    clip(parameters, norm, settings.clip_norm, settings.clip_value)

    engine.step(optimizer)
    if side.scheduler is not None and side.ended is None:
        try:
            side.scheduler.step()
        except ValueError as error:  # of one that ends, such as OneCycleLR: the last rate stays
            side.ended = side.end_of_scheduler(error)
    for term in terms:
        with torch.no_grad():
            term.after_update(side.player, side.network)  # type: ignore[arg-type]
    clock.progress = clock.progress.after_step(side.player)
    return norm
