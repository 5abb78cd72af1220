"""``gan_ddp``: data parallelism for two players, without a wrapper around the module.

Lightning's ``ddp`` expects every parameter to take part in every backward pass, which alternating
players never do. Here nothing is wrapped: when an optimizer steps, the gradients of its parameters
are averaged over all ranks in one flat all-reduce.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from typing import Any, Literal

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.strategies import (
    DDPStrategy,
    DeepSpeedStrategy,
    FSDPStrategy,
    StrategyRegistry,
)
from torch.nn import Module
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from lightning_gan.errors import InputError
from lightning_gan.game.ranks import average, broadcast

StartMethod = Literal["popen", "spawn", "fork", "forkserver"]


class GANDDPStrategy(DDPStrategy):
    """DDP that synchronises the gradients of the player that steps, when it steps.

    Registered as ``strategy="gan_ddp"``. Clipping and gradient norms see the averaged gradient.
    All ranks must have gradients for the same parameters.

    In a notebook the processes are forks of its own, since there is no script that others could
    run; a GPU must not have been used there before.

    Args:
        start_method: How the other processes begin, as DDPStrategy's; None: as fits the place.
        **options: Those of DDPStrategy.
    """

    strategy_name = "gan_ddp"

    def __init__(self, *, start_method: StartMethod | None = None, **options: Any) -> None:
        forks = is_interactive() and "fork" in multiprocessing.get_all_start_methods()
        super().__init__(start_method=start_method or ("fork" if forks else "popen"), **options)

    def configure_ddp(self) -> None:
        """Give all ranks the parameters and buffers of rank 0; wrap nothing."""
        assert self.model is not None
        broadcast([*self.model.parameters(), *self.model.buffers()])

    def optimizer_step(
        self,
        optimizer: Optimizer,
        closure: Callable[[], Any],
        model: LightningModule | Module | None = None,
        **kwargs: Any,
    ) -> Any:
        """Average the optimizer's gradients over ranks, then step: of a module that is no game."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        average([p.grad for p in parameters if p.grad is not None])
        return super().optimizer_step(optimizer, closure, model, **kwargs)


def is_interactive() -> bool:
    """Whether this is a notebook or a prompt, as Lightning asks when it starts processes."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)


if "gan_ddp" not in StrategyRegistry:
    StrategyRegistry.register(
        "gan_ddp", GANDDPStrategy, description="DDP for alternating players, without a wrapper"
    )


def check_trainer(trainer: Trainer) -> None:
    """Refuse, before the first step, a trainer that cannot train two alternating players.

    Raises:
        InputError: The precision or the strategy is one of those.
    """
    if trainer.precision in ("16-mixed", "16-true"):
        raise InputError(
            f"precision={trainer.precision} needs one loss scale for each of two players, "
            "which Lightning cannot give; use precision=bf16-mixed"
        )
    model = trainer.model
    if isinstance(model, DistributedDataParallel) and not model.find_unused_parameters:
        raise InputError(
            "strategy=ddp expects every parameter in every backward pass, which "
            "alternating players never give; use strategy=gan_ddp"
        )
    if isinstance(trainer.strategy, (FSDPStrategy, DeepSpeedStrategy)):
        raise InputError(
            f"{type(trainer.strategy).__name__} is not supported for two players that share one "
            "module; use strategy=gan_ddp"
        )


def spare_buffers(trainer: Trainer) -> None:
    """Keep torch's wrapper from giving all ranks the buffers of rank 0 before every batch.

    The game averages those of the networks, and what a part keeps of its own rank's batches is its
    own.
    """
    if isinstance(trainer.model, DistributedDataParallel):
        trainer.model.broadcast_buffers = False
