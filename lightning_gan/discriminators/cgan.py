"""A small convolutional discriminator, conditional by one-hot labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.initialization import initialize
from lightning_gan.layers.one_hot import OneHot
from lightning_gan.layers.quarter import quarter
from lightning_gan.layers.same_padding import SameConv2d
from lightning_gan.types import not_negative


class CGANDiscriminator(Discriminator):
    """Two convolutions, with LeakyReLU, dropout and max-pooling, and one logit.

    One-hot labels enter as K further channels of the first feature map, each all ones or all
    zeros (in the manner of Mirza & Osindero 2014, section 3.2). The first convolution, 7x7 of
    stride 2 with Keras's "same" padding, and the pooling each halve the sides. Kernels begin as
    Glorot uniform and biases at 0.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4.
        base_channels: Channels of both convolutions, at least 1.
        num_classes: K for a class-conditional discriminator, at least 1; None ignores labels.
        dropout: Probability of zeroing a hidden value while training, in [0, 1).
        slope: Slope of LeakyReLU for negative inputs, at least 0.

    Raises:
        InputError: The shape does not fit, or a number is out of range.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        base_channels: int = 128,
        num_classes: int | None = None,
        dropout: float = 0.3,
        slope: float = 0.3,
    ) -> None:
        super().__init__()
        height, width = quarter(sample_shape, base_channels)
        if not 0 <= dropout < 1:
            raise InputError(f"dropout must lie in [0, 1), got {dropout}")
        not_negative(slope, "slope")
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes
        channels = base_channels
        if num_classes is not None:
            self.classes = OneHot(num_classes)
            channels += num_classes
        self.look = SameConv2d(self.sample_shape[0], base_channels, 7, stride=2)
        self.layers = nn.Sequential(
            nn.LeakyReLU(slope),
            nn.Dropout(dropout),
            nn.MaxPool2d(2),
            nn.Conv2d(channels, base_channels, 3, padding=1),
            nn.LeakyReLU(slope, inplace=True),
            nn.Dropout(dropout),
            nn.Flatten(),
        )
        self.head = nn.Linear(base_channels * height * width, 1)
        initialize(self, "glorot_uniform")

    def forward(self, x: Tensor, y: Any = None) -> Tensor:
        """Judge images.

        Args:
            x: Images, shape (N, C, H, W).
            y: Class labels, int64 of shape (N,), or anything where ``num_classes`` is None.

        Returns:
            Logits, shape (N,).
        """
        features = self.look(x)
        if self.num_classes is not None:
            labels = self.classes(y)[:, :, None, None].expand(-1, -1, *features.shape[2:])
            features = torch.cat([features, labels], dim=1)
        logits: Tensor = self.head(self.layers(features)).squeeze(1)
        return logits
