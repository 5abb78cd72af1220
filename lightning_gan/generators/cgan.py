"""A small convolutional generator for latents of few dimensions, conditional by one-hot labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.layers.initialization import initialize
from lightning_gan.layers.one_hot import OneHot
from lightning_gan.layers.quarter import quarter


class CGANGenerator(Generator):
    """Nearest-neighbor upsampling and convolutions, with dropout, ReLU and tanh at the end.

    One-hot labels stand beside the latent (Mirza & Osindero 2014, section 3.2). A linear layer
    makes a map of a quarter of the image's sides; upsampling doubles it twice: 7, 14 and 28 pixels.
    Dropout acts only while training. Kernels begin as Glorot uniform and biases at 0.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4.
        latent_dim: Size Z of a latent, at least 0; 0 only with ``num_classes``.
        base_channels: Channels of the first two feature maps, an even number, at least 2; the third
            has half.
        num_classes: K for a class-conditional generator, at least 1; None ignores labels.
        dropout: Probability of zeroing a hidden value while training, in [0, 1).

    Raises:
        InputError: The shape does not fit, a number is out of range, or there is neither a latent
            nor a label.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_dim: int = 2,
        base_channels: int = 64,
        num_classes: int | None = None,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        height, width = quarter(sample_shape, base_channels)
        if base_channels % 2:
            raise InputError(f"base_channels must be even, got {base_channels}")
        if not 0 <= dropout < 1:
            raise InputError(f"dropout must lie in [0, 1), got {dropout}")
        self.sample_shape = tuple(sample_shape)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        inputs = latent_dim
        if num_classes is not None:
            self.classes = OneHot(num_classes)
            inputs += num_classes
        if latent_dim < 0 or inputs < 1:
            raise InputError(
                f"latent_dim must be positive unless there is num_classes, got "
                f"latent_dim={latent_dim}, num_classes={num_classes}"
            )
        half = base_channels // 2
        self.smallest = (base_channels, height, width)
        self.project = nn.Sequential(
            nn.Linear(inputs, base_channels * height * width), nn.ReLU(), nn.Dropout(dropout)
        )
        self.layers = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(base_channels, base_channels, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Conv2d(base_channels, half, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(half, self.sample_shape[0], 5, padding=2),
            nn.Tanh(),
        )
        initialize(self, "glorot_uniform")

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Generate images in [-1, 1].

        Args:
            z: Latents, shape (N, Z).
            y: Class labels, int64 of shape (N,), or anything where ``num_classes`` is None.

        Returns:
            Images, shape (N, C, H, W).
        """
        if self.num_classes is not None:
            z = torch.cat([z, self.classes(y)], dim=1)
        images: Tensor = self.layers(self.project(z).reshape(-1, *self.smallest))
        return images
