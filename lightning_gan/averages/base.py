"""The contract of averages."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from lightning_gan.components.spec import Component


class Average(Component, ABC):
    """How the averaged generator follows the trained one.

    The GAN owns both networks: at first they are equal, and the averaged one, which stays in eval
    mode, is what sampling uses. State of the average itself lives in buffers.

    Attributes:
        reestimates: Whether batch-norm statistics of the averaged generator are to be re-estimated
            from generated batches when it is used.
    """

    reestimates: bool = False

    @abstractmethod
    def update(self, averaged: nn.Module, source: nn.Module, images: int, batch: int) -> None:
        """Move ``averaged`` after a batch, without gradient and in place.

        Args:
            averaged: The averaged generator, whose parameters and buffers are changed.
            source: The trained generator, which is only read.
            images: Real images seen so far, with this batch, over all ranks.
            batch: Images of this batch, over all ranks.
        """
