"""The DCGAN generator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.layers.condition import check_word, condition_of
from lightning_gan.layers.conditional_norm import (
    ConditionalNorm2d,
    ConditionalSequential,
    plain_norm,
)
from lightning_gan.layers.pyramid import pyramid
from lightning_gan.layers.reparameterized import WeightNorm, reparameterize

CONDITIONINGS = ("concat", "product", "batch_norm", "adain")


class DCGANGenerator(Generator):
    """Transposed convolutions with batch norm and ReLU, and tanh (Radford et al. 2016, figure 1).

    The latent is projected to the smallest feature map, which every 4x4 convolution of stride 2
    doubles and halves in channels: 4, 8, 16 and 32 pixels for 32, and 7, 14 and 28 for 28. Labels
    enter as a learned vector beside the latent, or as ``conditioning`` says. Weights begin as
    N(0, 0.02^2), as in section 4.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4.
        latent_dim: Size Z of a latent, at least 0; 0 only with ``num_classes``.
        base_channels: Channels of the largest feature map, at least 1.
        num_classes: K for a class-conditional generator, at least 1; None ignores labels.
        class_dim: Length of a class's vector, at least 1.
        condition_dim: K where conditions are vectors of K numbers (several labels, measurements),
            at least 1.
        num_tokens: V where conditions are sequences of tokens in 0..V-1, at least 1.
        conditioning: Where the condition enters: as a vector beside the latent ("concat") or times
            it ("product"), or as gains and biases of "batch_norm" or of "adain" (instance norm in
            its place).
        weight_norm: How weights are computed: "spectral", "weight" or "equalized"; see the layer
            reparameterized.

    Raises:
        InputError: The shape does not fit, a size is below 1, a word is unknown, there is more than
            one condition, or there is neither a latent nor a label.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_dim: int = 100,
        base_channels: int = 64,
        num_classes: int | None = None,
        class_dim: int = 32,
        condition_dim: int | None = None,
        num_tokens: int | None = None,
        conditioning: Literal["concat", "product", "batch_norm", "adain"] = "concat",
        weight_norm: WeightNorm = "none",
    ) -> None:
        super().__init__()
        check_word("conditioning", conditioning, CONDITIONINGS)
        if class_dim < 1:
            raise InputError(f"class_dim must be at least 1, got {class_dim}")
        sizes = pyramid(sample_shape, base_channels)
        self.sample_shape = tuple(sample_shape)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        inputs = latent_dim
        self.conditioning = conditioning
        self.condition = condition_of(num_classes, condition_dim, num_tokens, class_dim)
        if self.condition is not None and conditioning == "concat":
            self.classes = self.condition.table(class_dim)
            inputs += class_dim
        if latent_dim < 0 or inputs < 1:
            raise InputError(
                f"latent_dim must be positive unless there is num_classes, got "
                f"latent_dim={latent_dim}, num_classes={num_classes}"
            )
        if self.condition is not None and conditioning == "product":
            self.classes = self.condition.table(latent_dim)
        in_norms = conditioning in ("batch_norm", "adain")

        def norm(channels: int) -> nn.Module:
            if self.condition is None or not in_norms:
                return nn.BatchNorm2d(channels)
            tables = [self.condition.table(channels, std=0.0) for _ in range(2)]
            return ConditionalNorm2d(plain_norm(conditioning, channels), *tables)

        # The paper's first transposed convolution acts on 1x1 maps: a linear layer.
        self.project = nn.Linear(inputs, sizes.features, bias=False)
        self.smallest = (sizes.channels[0], sizes.height, sizes.width)
        layers: list[nn.Module] = []
        for width, following in pairwise(sizes.channels):
            layers += [norm(width), nn.ReLU(inplace=True)]
            layers.append(nn.ConvTranspose2d(width, following, *sizes.step, bias=False))
        layers += [norm(sizes.channels[-1]), nn.ReLU(inplace=True)]
        layers.append(nn.ConvTranspose2d(sizes.channels[-1], self.sample_shape[0], *sizes.step))
        self.layers = ConditionalSequential(*layers, nn.Tanh())
        for module in (self.project, *self.layers):
            if isinstance(module, (nn.Linear, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, std=0.02)
        reparameterize(self, weight_norm)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Generate images in [-1, 1].

        Args:
            z: Latents, shape (N, Z).
            y: Class labels, int64 of shape (N,), or another condition, N first; anything for a
                network without one.

        Returns:
            Images, shape (N, C, H, W).
        """
        c = None
        if self.condition is not None:
            c = self.condition(y, z)
            if self.conditioning == "concat":
                z = torch.cat([z, self.classes(c)], dim=1)
            elif self.conditioning == "product":
                z = z * self.classes(c)
        images: Tensor = self.layers(self.project(z).reshape(-1, *self.smallest), c)
        return images
