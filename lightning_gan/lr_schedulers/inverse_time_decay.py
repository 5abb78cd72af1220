"""Inverse-time decay of the learning rate."""

from __future__ import annotations

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lightning_gan.errors import InputError


class InverseTimeDecay(LRScheduler):
    """Divides the first learning rate by 1 + decay * step: the ``decay`` of Keras's optimizers.

    Args:
        optimizer: Its learning rates are changed.
        decay: Growth of the divisor with each step, at least 0.
        last_epoch: Number of the last step, at least -1, which begins.

    Raises:
        InputError: ``decay`` is negative.
    """

    def __init__(self, optimizer: Optimizer, decay: float, last_epoch: int = -1) -> None:
        if not decay >= 0:
            raise InputError(f"decay must be at least 0, got {decay}")
        self.decay = decay
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float | Tensor]:
        """Return the learning rate of each parameter group at the present step."""
        return [rate / (1 + self.decay * self.last_epoch) for rate in self.base_lrs]
