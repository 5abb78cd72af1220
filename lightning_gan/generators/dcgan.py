"""The DCGAN generator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.pyramid import pyramid


class DCGANGenerator(Generator):
    """Transposed convolutions with batch norm and ReLU, and tanh (Radford et al. 2016, figure 1).

    The latent is projected to the smallest feature map, which every 4x4 convolution of stride 2
    doubles and halves in channels: 4, 8, 16 and 32 pixels for 32, and 7, 14 and 28 for 28. Labels
    enter as a learned vector beside the latent. Weights begin as N(0, 0.02^2), as in section 4.

    Args:
        sample_shape: (C, H, W); H and W multiples of 4.
        latent_dim: Size Z of a latent; 0 only with ``num_classes``.
        base_channels: Channels of the largest feature map.
        num_classes: K for a class-conditional generator; None ignores labels.
        class_dim: Length of a class's vector.

    Raises:
        InputError: The shape does not fit, a size is below 1, or there is neither a latent nor a
            label.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_dim: int = 100,
        base_channels: int = 64,
        num_classes: int | None = None,
        class_dim: int = 32,
    ) -> None:
        super().__init__()
        sizes = pyramid(sample_shape, base_channels)
        self.sample_shape = tuple(sample_shape)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        inputs = latent_dim
        if num_classes is not None:
            self.classes = ClassEmbedding(num_classes, class_dim)
            inputs += class_dim
        if latent_dim < 0 or inputs < 1:
            raise InputError(
                f"latent_dim must be positive unless there is num_classes, got "
                f"latent_dim={latent_dim}, num_classes={num_classes}"
            )
        # The paper's first transposed convolution acts on 1x1 maps: a linear layer.
        self.project = nn.Linear(inputs, sizes.features, bias=False)
        self.smallest = (sizes.channels[0], sizes.height, sizes.width)
        layers: list[nn.Module] = []
        for width, following in pairwise(sizes.channels):
            layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            layers.append(nn.ConvTranspose2d(width, following, *sizes.step, bias=False))
        layers += [nn.BatchNorm2d(sizes.channels[-1]), nn.ReLU(inplace=True)]
        layers.append(nn.ConvTranspose2d(sizes.channels[-1], self.sample_shape[0], *sizes.step))
        self.layers = nn.Sequential(*layers, nn.Tanh())
        for module in (self.project, *self.layers):
            if isinstance(module, (nn.Linear, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, std=0.02)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

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
