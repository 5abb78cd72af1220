"""The U-Net generator of pix2pix, from an image to an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu

from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.layers.condition import check_image
from lightning_gan.layers.patches import Norm, check_patches, initialize_normal, normalization
from lightning_gan.layers.reparameterized import WeightNorm, reparameterize
from lightning_gan.layers.residual_plan import check_latent

MOST_LEVELS = 8
WIDEST = 8  # times the base
DROPPED = 3  # layers of the decoder with dropout
SLOPE = 0.2


class UNetGenerator(Generator):
    """An image made of an image, by an encoder and a decoder with skips (Isola et al. 2017, 3.2.1).

    4x4 convolutions of stride 2 with LeakyReLU and batch norm halve the input ``levels`` times;
    transposed ones with ReLU and batch norm double it again, each beside the encoder's map of its
    size; tanh is last (section 6.1.1). The input is the condition: data that yield (sample, input),
    or BatchKeys, give it. Weights begin as N(0, 0.02^2). Dropout acts only while training, where
    the paper keeps it for noise: give a ``latent_dim`` for noise that sampling has as well.

    Args:
        sample_shape: (C, H, W) of what is made, each at least 1; even sides, as often as there are
            ``levels``.
        condition_channels: Channels of the input, whose sides are the samples', at least 1; None:
            as many as the samples'.
        latent_dim: Size Z of latents that enter as further channels of the smallest map, at least
            0; 0: none.
        base_channels: Channels of the largest map, at least 1; they double from level to level to
            at most eight times as many.
        levels: How often the sides are halved, at least 1; None: 8 times (256 pixels to one), or
            while they are even.
        norm: "batch", "instance" (without gains) or "none".
        dropout: Probability of zeroing a value in the first three layers of the decoder, in [0, 1).
        weight_norm: How weights are computed: "spectral", "weight" or "equalized"; see the layer
            reparameterized.

    Example:
        lightning-gan fit experiment=pix2pix  # of the plugin lightning-gan-image2image

    Raises:
        InputError: The shape does not fit, a number is out of range, or a word is unknown.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        condition_channels: int | None = None,
        latent_dim: int = 0,
        base_channels: int = 64,
        levels: int | None = None,
        norm: Norm = "batch",
        dropout: float = 0.5,
        weight_norm: WeightNorm = "none",
    ) -> None:
        super().__init__()
        check_patches(sample_shape, base_channels, norm, condition_channels)
        check_latent(latent_dim, needed=False)
        if not 0 <= dropout < 1:
            raise InputError(f"dropout must lie in [0, 1), got {dropout}")
        room = _halvings(*sample_shape[1:])
        number = min(room, MOST_LEVELS) if levels is None else levels
        if not 1 <= number <= room:
            raise InputError(
                f"levels must be 1 to {room} for {sample_shape[1]}x{sample_shape[2]} pixels, got "
                f"{number}: each halves even sides"
            )
        self.sample_shape = tuple(sample_shape)
        self.latent_dim = latent_dim
        self.condition_channels = condition_channels
        self.input_channels = condition_channels or self.sample_shape[0]
        widths = [base_channels * min(2**level, WIDEST) for level in range(number)]
        bias = norm != "batch"
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        channels = self.input_channels
        for level, width in enumerate(widths):
            normalized = 0 < level < number - 1  # neither the first nor the smallest
            self.encoder.append(
                nn.Sequential(
                    nn.Conv2d(channels, width, 4, 2, 1, bias=bias),
                    normalization(norm if normalized else "none", width),
                )
            )
            channels = width
        channels += latent_dim
        for index, width in enumerate(reversed(widths[:-1])):
            layers: list[nn.Module] = [
                nn.ConvTranspose2d(channels, width, 4, 2, 1, bias=bias),
                normalization(norm, width),
            ]
            if dropout > 0 and index < DROPPED:
                layers.append(nn.Dropout(dropout))
            self.decoder.append(nn.Sequential(*layers))
            channels = 2 * width  # the encoder's map beside it
        self.draw = nn.ConvTranspose2d(channels, self.sample_shape[0], 4, 2, 1)
        initialize_normal(self)
        reparameterize(self, weight_norm)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Make images in [-1, 1] of images.

        Args:
            z: Latents, shape (N, Z).
            y: Input images, shape (N, ``condition_channels``, H, W).

        Returns:
            Images, shape (N, C, H, W).
        """
        x = check_image(y, self.input_channels, self.sample_shape[1:]).to(z.dtype)
        maps: list[Tensor] = []
        for level, layer in enumerate(self.encoder):
            x = layer(leaky_relu(x, SLOPE) if level else x)
            maps.append(x)
        x = relu(x)
        if self.latent_dim:
            noise = z[:, :, None, None].expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, noise.to(x.dtype)], dim=1)
        for layer, skip in zip(self.decoder, reversed(maps[:-1]), strict=True):
            x = relu(torch.cat([layer(x), skip], dim=1))
        return torch.tanh(self.draw(x))


def _halvings(height: int, width: int) -> int:
    number = 0
    while height % 2 == width % 2 == 0:
        height, width, number = height // 2, width // 2, number + 1
    return number
