"""The contract of discriminators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from lightning_gan.components.spec import Component
from lightning_gan.types import DiscriminatorOutput


class Discriminator(Component, ABC):
    """Tells real samples from generated ones.

    By convention the constructor takes ``sample_shape`` and, where the network can be conditional,
    ``num_classes: int | None = None``: the command fills both from the data.

    Attributes:
        sample_shape: Shape of one sample, or None if any shape is accepted.
        num_classes: K if the discriminator takes class labels, else None.
        couples_samples: Whether one sample's output depends on the others of the batch.
    """

    sample_shape: tuple[int, ...] | None = None
    num_classes: int | None = None
    couples_samples: bool = False

    @abstractmethod
    def forward(self, x: Tensor, y: Any = None) -> Tensor | DiscriminatorOutput:
        """Judge samples.

        Args:
            x: Samples, shape (N, *sample_shape); images in [-1, 1].
            y: Class labels, int64 of shape (N,) in 0..K-1, or whatever the data module yields.

        Returns:
            Raw logits, shape (N, ...) with any trailing shape, or a DiscriminatorOutput when the
            network has more heads. High means real.
        """
