"""The contract of generators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from lightning_gan.components.spec import Component


class Generator(Component, ABC):
    """Maps latents, and labels where it is conditional, to samples.

    By convention the constructor takes ``sample_shape`` and, where the network can be conditional,
    ``num_classes: int | None = None``: the command fills both from the data.

    Attributes:
        latent_dim: Size Z of a latent; 0 is allowed.
        sample_shape: Shape of one sample, (C, H, W) for images; nothing requires images.
        num_classes: K if the generator takes class labels, else None.
    """

    latent_dim: int
    sample_shape: tuple[int, ...]
    num_classes: int | None = None

    @abstractmethod
    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Generate one sample for each latent.

        Args:
            z: Latents, shape (N, Z).
            y: Class labels, int64 of shape (N,) in 0..K-1, or whatever the data module yields.

        Returns:
            Samples, shape (N, *sample_shape); images in [-1, 1]. In eval mode a function of z and
            y alone.
        """
