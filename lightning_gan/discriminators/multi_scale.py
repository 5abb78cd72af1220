"""Discriminators of patches of one image at several scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.condition import check_image
from lightning_gan.layers.patches import (
    Norm,
    PatchNetwork,
    check_patches,
    fitting_layers,
    left_over,
)
from lightning_gan.layers.reparameterized import WeightNorm, reparameterize
from lightning_gan.types import DiscriminatorOutput, not_negative

MOST_SCALES = 3


class MultiScaleDiscriminator(Discriminator):
    """Networks of patches at the image's own size, half of it and so on (Wang et al. 2018).

    Each scale has a network of its own, of one kind: that of ``patch``. Images are halved by
    average pooling, 3x3 of stride 2 (pix2pixHD, section 3.2). Logits are a list with one entry for
    each scale, features a list with the list of maps of each, as feature matching takes them.

    Args:
        sample_shape: (C, H, W), each at least 1; sides of 6 pixels or more, of any number of
            pixels.
        scales: How many, at least 1; None: 3, or as many as the image has room for.
        base_channels: Channels of the first map, at least 1; each following one has twice as many,
            up to eight times.
        layers: Convolutions of stride 2 at each scale, at least 1; None: 3, or as many as each has
            room for.
        condition_channels: Channels of an image, of the size of the samples, that is given as
            condition and judged with them, at least 1; None ignores conditions.
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
        scales: int | None = None,
        base_channels: int = 64,
        layers: int | None = None,
        condition_channels: int | None = None,
        norm: Norm = "instance",
        slope: float = 0.2,
        weight_norm: WeightNorm = "none",
    ) -> None:
        super().__init__()
        check_patches(sample_shape, base_channels, norm, condition_channels)
        not_negative(slope, "slope")
        sides = [min(sample_shape[1:])]
        fitting_layers(sides[0], layers)
        while left_over((sides[-1] + 1) // 2, layers or 1) >= 1:
            sides.append((sides[-1] + 1) // 2)
        number = min(len(sides), MOST_SCALES) if scales is None else scales
        if not 1 <= number <= len(sides):
            raise InputError(
                f"scales must be 1 to {len(sides)} for images whose shorter side has {sides[0]} "
                f"pixels, got {scales}"
            )
        self.sample_shape = tuple(sample_shape)
        self.condition_channels = condition_channels
        self.couples_samples = norm == "batch"
        channels = self.sample_shape[0] + (condition_channels or 0)
        self.networks = nn.ModuleList(
            PatchNetwork(channels, base_channels, fitting_layers(side, layers), norm, slope)
            for side in sides[:number]
        )
        reparameterize(self, weight_norm)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Judge patches at every scale.

        Args:
            x: Images, shape (N, C, H, W).
            y: Images, shape (N, ``condition_channels``, H, W); anything where that is None.

        Returns:
            Logits, a list of shape (N, 1, h, w), and the maps of all layers before them, a list of
            lists.
        """
        if self.condition_channels is not None:
            image = check_image(y, self.condition_channels, x.shape[2:])
            x = torch.cat([x, image.to(x.dtype)], dim=1)
        logits, features = [], []
        for scale, network in enumerate(self.networks):
            if scale > 0:
                x = avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            judged, maps = network(x)
            logits.append(judged)
            features.append(maps)
        return DiscriminatorOutput(logits, features=features)
