"""PatchGAN: a discriminator that judges overlapping patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.layers.condition import check_image
from lightning_gan.layers.patches import Norm, PatchNetwork, check_patches, fitting_layers
from lightning_gan.layers.reparameterized import WeightNorm, reparameterize
from lightning_gan.types import DiscriminatorOutput, not_negative


class PatchDiscriminator(Discriminator):
    """One logit for each patch of 70x70 pixels of an image (Isola et al. 2017, section 3.2.2).

    4x4 convolutions: ``layers`` of stride 2, two of stride 1, with 64, 128, 256, 512 and 1 channels
    (their section 6.1.2). With one ``layers`` less a patch has 34x34, with two less 16x16 pixels.
    Weights begin as N(0, 0.02^2); without norm as in He et al. 2015.

    Args:
        sample_shape: (C, H, W), each at least 1; sides of 6 pixels or more, of any number of
            pixels.
        base_channels: Channels of the first map, at least 1; each following one has twice as many,
            up to eight times.
        layers: Convolutions of stride 2, at least 1; None: 3, or as many as the image has room for.
        condition_channels: Channels of an image, of the size of the samples, that is given as
            condition and judged with them (pix2pix), at least 1; None ignores conditions.
        norm: "batch", "instance" (without gains) or "none", which suits gradient penalties.
        slope: Slope of LeakyReLU for negative inputs, at least 0.
        weight_norm: How weights are computed: "spectral", "weight" or "equalized"; see the layer
            reparameterized.

    Raises:
        InputError: The shape does not fit, a number is out of range, or a word is unknown.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        base_channels: int = 64,
        layers: int | None = None,
        condition_channels: int | None = None,
        norm: Norm = "batch",
        slope: float = 0.2,
        weight_norm: WeightNorm = "none",
    ) -> None:
        super().__init__()
        check_patches(sample_shape, base_channels, norm, condition_channels)
        not_negative(slope, "slope")
        number = fitting_layers(min(sample_shape[1:]), layers)
        self.sample_shape = tuple(sample_shape)
        self.condition_channels = condition_channels
        self.couples_samples = norm == "batch"
        channels = self.sample_shape[0] + (condition_channels or 0)
        self.network = PatchNetwork(channels, base_channels, number, norm, slope)
        reparameterize(self, weight_norm)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Judge patches.

        Args:
            x: Images, shape (N, C, H, W).
            y: Images, shape (N, ``condition_channels``, H, W); anything where that is None.

        Returns:
            Logits, shape (N, 1, h, w), and the maps of all layers before them as features.
        """
        if self.condition_channels is not None:
            image = check_image(y, self.condition_channels, x.shape[2:])
            x = torch.cat([x, image.to(x.dtype)], dim=1)
        logits, maps = self.network(x)
        return DiscriminatorOutput(logits, features=maps)
