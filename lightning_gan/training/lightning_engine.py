"""How a game computes under a Trainer."""

from __future__ import annotations

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.plugins import MixedPrecision
from pytorch_lightning.plugins.precision import Precision
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from lightning_gan.errors import InputError
from lightning_gan.game import ranks
from lightning_gan.game.engine import Engine
from lightning_gan.training.seams.hooks import listeners, overrides


class LightningEngine(Engine):
    """Gradients and steps with the hooks that callbacks and module define, and no others.

    ``LightningModule.manual_backward`` and the optimizer wrappers ask some hundred functions a
    batch whether they want to do anything. Who does is known when training starts; the backward
    pass goes through Lightning only where a wrapper or a precision of its own takes part in it.

    Args:
        trainer: The Trainer, its strategy set up.
        module: The module that it trains.

    Raises:
        InputError: The precision has an optimizer step of its own.
    """

    def __init__(self, trainer: Trainer, module: LightningModule) -> None:
        self._module = module
        self._wrapped = isinstance(trainer.model, DistributedDataParallel)
        precision = trainer.precision_plugin
        known = (Precision.optimizer_step, MixedPrecision.optimizer_step)
        if type(precision).optimizer_step not in known:
            raise InputError(
                f"{type(precision).__name__} steps optimizers in a way of its own, which two "
                "alternating players cannot use; choose another trainer.precision or accelerator"
            )
        own = (Precision.backward, Precision.post_backward)
        plain = (type(precision).backward, type(precision).post_backward) == own
        plain = plain and not overrides(module, "backward", LightningModule)
        self._direct = plain and not self._wrapped
        self._before_backward = listeners(trainer, "on_before_backward")
        self._after_backward = listeners(trainer, "on_after_backward")
        self._before_step = listeners(trainer, "on_before_optimizer_step")

    def backward(self, objective: Tensor, gradient: Tensor) -> None:
        """Add the gradients of an objective, times a scalar, to those of its parameters."""
        if not self._direct:
            self._module.manual_backward(objective, gradient=gradient)
            return
        for hook in self._before_backward:
            hook(objective)
        objective.backward(gradient)  # type: ignore[no-untyped-call]
        for hook in self._after_backward:
            hook()

    def average(self, gradients: list[Tensor]) -> None:
        """Average a player's gradients over all ranks, unless the wrapper has done it."""
        if not self._wrapped:
            ranks.average(gradients)

    def before_step(self, optimizer: Optimizer) -> None:
        """Call the hooks that look at gradients, averaged and not yet clipped."""
        for hook in self._before_step:
            hook(optimizer)
