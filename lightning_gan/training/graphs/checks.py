"""What steps as CUDA graphs cannot do; one sentence for each."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch.nn.parallel import DistributedDataParallel

from lightning_gan.errors import InputError
from lightning_gan.game.checks import is_compiled
from lightning_gan.training.graphs.recorder import RECORDERS
from lightning_gan.training.seams import hooks
from lightning_gan.types import Player

STEP_HOOKS = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")


def check_graph(gan: Any, trainer: pl.Trainer, base: type) -> None:
    """Refuse, before the first step, what cannot be captured.

    Args:
        gan: The module, on its device, with its optimizers.
        trainer: The Trainer that is about to train it.
        base: GANModule.

    Raises:
        InputError: There is no GPU, there are several processes, a network is compiled, an
            optimizer is another than fused Adam or AdamW, or something acts in Python at every
            step.
    """
    if gan.device.type not in RECORDERS:
        raise InputError(
            f"graph captures steps as CUDA graphs, and this run computes on {gan.device.type}: set "
            "trainer.accelerator=gpu where there is one, or graph to false"
        )
    if trainer.world_size > 1:
        raise InputError(
            f"graph captures the steps of one process, got {trainer.world_size}: set "
            "trainer.devices=1, or graph to false"
        )
    if isinstance(trainer.model, DistributedDataParallel):
        raise InputError(
            "graph captures steps of one process, and trainer.strategy wraps the module for "
            "several: leave it out, or set graph to false"
        )
    for player in Player:
        compiled = getattr(gan, f"{player.value}_compile")
        if compiled or is_compiled(getattr(gan, player.value)):
            raise InputError(
                f"graph captures networks as they are, and the {player.value} is compiled: leave "
                "that out, or set graph to false"
            )
    check_optimizers(gan)
    for name, part in (("augment", gan.augment), *gan.regularizers.items()):
        if part.observes:
            raise InputError(
                f"graph repeats what was captured, and {name} ({type(part).__name__}) changes by "
                "what it observes: leave it out, or set graph to false"
            )
    callbacks = [(callback, pl.Callback) for callback in trainer.callbacks]  # type: ignore[attr-defined]
    for listener, plain in [*callbacks, (gan, base)]:
        acting = [name for name in STEP_HOOKS if hooks.overrides(listener, name, plain)]
        if acting:
            raise InputError(
                f"graph passes over the hooks of a step, and {type(listener).__name__} has "
                f"{acting[0]}: leave it out, or set graph to false"
            )


def check_optimizers(gan: Any) -> None:
    """Refuse optimizers that ask the host, or have hooks of their own.

    Raises:
        InputError: One of the module's does.
    """
    for player, made in gan._made.items():
        optimizer = made["optimizer"]
        adam = isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW))
        if not (adam and all(group["fused"] for group in optimizer.param_groups)):
            raise InputError(
                "graph needs optimizers that leave out a step that is not finite without asking "
                f"the host, torch's fused Adam or AdamW; {player.value}_optimizer is "
                f"{type(optimizer).__name__}{', not fused' if adam else ''}: choose one of them, "
                "or set graph to false"
            )
        if optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks:
            raise InputError(
                f"graph passes over the hooks of {player.value}_optimizer's steps: leave them out, "
                "or set graph to false"
            )
