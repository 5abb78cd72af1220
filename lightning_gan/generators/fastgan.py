"""The FastGAN generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.gated_upsampling import GatedUpsampling
from lightning_gan.layers.skip_excitation import SkipLayerExcitation
from lightning_gan.layers.stages import stage_sizes

# Channels of the maps of 4, 8, 16, ... 1024 pixels, in multiples of the base.
WIDENINGS = (16.0, 8.0, 4.0, 2.0, 2.0, 1.0, 0.5, 0.25, 0.125)
REACH = 4  # doublings from the map that excites to the one that is excited
EXCITING = 4  # maps that excite, of 4, 8, 16 and 32 pixels


class FastGANGenerator(Generator):
    """Gated upsampling and skip-layer excitation, for few images (FastGAN, Liu et al. 2021).

    A transposed convolution makes the smallest map of the latent. Every doubling has a convolution,
    batch norm and a gated linear unit; every other one, from the first on, has two, with noise. A
    map excites the one that is 16 times as large (section 3.1: 4, 8, 16 and 32 pixels); in an image
    with fewer doublings the smallest map excites the largest. A 3x3 convolution and tanh make the
    image. Convolutions have spectral norm and no bias, as in the authors' published code.

    The paper's network has ``latent_dim=256, base_channels=64``. It has a second head for an image
    of 128 pixels, which is left out here: the discriminator makes its small view from the image.
    The paper knows no classes; here the vector of a class stands beside the latent.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4. The smallest map is what
            is left when the image is halved while its sides are even and the halves are 4 or more.
        latent_dim: Size Z of a latent, at least 1.
        base_channels: At least 1. The smallest map has 16 times as many channels; the following
            ones 8, 4, 2, 2, 1, 1/2, 1/4 and 1/8 times.
        num_classes: K for a class-conditional generator, at least 1; None ignores labels.
        class_dim: Length of a class's vector, at least 1.

    Raises:
        InputError: The shape does not fit, or a number is below 1.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_dim: int = 100,
        base_channels: int = 8,
        num_classes: int | None = None,
        class_dim: int = 32,
    ) -> None:
        super().__init__()
        sizes = stage_sizes(sample_shape)
        if min(latent_dim, base_channels, class_dim) < 1:
            raise InputError(
                f"latent_dim, base_channels and class_dim must be at least 1, got "
                f"latent_dim={latent_dim}, base_channels={base_channels}, class_dim={class_dim}"
            )
        if len(sizes) > len(WIDENINGS):
            raise InputError(
                f"sample_shape must be halved at most {len(WIDENINGS) - 1} times, got "
                f"{tuple(sample_shape)}"
            )
        self.sample_shape = tuple(sample_shape)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        inputs = latent_dim
        if num_classes is not None:
            self.classes = ClassEmbedding(num_classes, class_dim)
            inputs += class_dim
        channels = [max(1, int(base_channels * widening)) for widening in WIDENINGS]
        smallest = nn.ConvTranspose2d(inputs, 2 * channels[0], sizes[0], bias=False)
        self.first = nn.Sequential(
            spectral_norm(smallest), nn.BatchNorm2d(2 * channels[0]), nn.GLU(dim=1)
        )
        self.doublings = nn.ModuleList(
            GatedUpsampling(channels[n - 1], channels[n], noise=sizes[n] if n % 2 else None)
            for n in range(1, len(sizes))
        )
        self.reach = max(1, min(REACH, len(sizes) - 1))
        self.excitations = nn.ModuleList(
            SkipLayerExcitation(channels[n], channels[n + self.reach])
            for n in range(min(EXCITING, len(sizes) - self.reach))
        )
        last = nn.Conv2d(channels[len(sizes) - 1], self.sample_shape[0], 3, padding=1, bias=False)
        self.to_image = nn.Sequential(spectral_norm(last), nn.Tanh())
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
        maps = [self.first(z[:, :, None, None])]
        for n, doubling in enumerate(self.doublings, start=1):
            x = doubling(maps[-1])
            if self.reach <= n < self.reach + len(self.excitations):
                x = self.excitations[n - self.reach](maps[n - self.reach], x)
            maps.append(x)
        images: Tensor = self.to_image(maps[-1])
        return images
