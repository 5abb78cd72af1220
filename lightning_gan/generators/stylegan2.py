"""The StyleGAN2 generator."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.equalized import EqualizedLinear, scaled_leaky_relu
from lightning_gan.layers.modulated import ModulatedConv2d
from lightning_gan.layers.noise_input import NoiseInput
from lightning_gan.layers.resampling import Upsample
from lightning_gan.layers.stages import Size, stage_sizes
from lightning_gan.types import finite

EPS = 1e-8


class StyleGAN2Generator(Generator):
    """Mapping, modulated convolutions, noise and image skips (StyleGAN2, Karras et al. 2020).

    The mapping network makes a style w of a latent on the sphere. The synthesis network begins with
    a learned map and doubles it in modulated 3x3 convolutions, each with noise, a bias and leaky
    ReLU behind it; 1x1 ones make an image at each size, and these are doubled and added up (the
    skip generator of figure 7). All layers have an equalised learning rate, those of the mapping a
    hundredth of it. The vector of a class stands, normalised, beside the latent.

    While training, part of the samples get the style of another latent of the batch from a random
    layer on (style mixing), and a mean of w is kept. In eval mode the noise is fixed, and w can be
    drawn towards that mean (truncation). ``mapping`` and ``synthesis`` are the two halves, for
    terms such as path length.

    Config F of the paper is ``latent_dim=512, style_dim=512, mapping_layers=8, channel_base=32768,
    channel_max=512``. Its mixing draws one layer for a batch and new latents; this one draws a
    layer for each sample and another sample's latent.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4. The smallest map is what
            is left when the image is halved while its sides are even and the halves are 4 or more.
        latent_dim: Size Z of a latent, at least 1.
        style_dim: Length of w, at least 1.
        mapping_layers: Layers of the mapping network, at least 1.
        channel_base: A map of side s has ``channel_base`` / s channels; at least 1.
        channel_max: Most channels of a map, at least 1.
        style_mixing: Share of samples with two styles while training, in [0, 1].
        truncation: psi, any number: w is ``w_mean + psi * (w - w_mean)`` in eval mode; 1: w itself.
            It may be set later: ``generator.truncation = 0.7``.
        w_mean_decay: Share of the old mean of w when a batch is added, in [0, 1).
        num_classes: K for a class-conditional generator, at least 1; None ignores labels.

    Raises:
        InputError: The shape does not fit, or a number is out of range.
    """

    w_mean: Tensor

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_dim: int = 64,
        style_dim: int = 64,
        mapping_layers: int = 2,
        channel_base: int = 1024,
        channel_max: int = 64,
        style_mixing: float = 0.9,
        truncation: float = 1.0,
        w_mean_decay: float = 0.995,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        sizes = stage_sizes(sample_shape)
        numbers = {
            "latent_dim": latent_dim,
            "style_dim": style_dim,
            "mapping_layers": mapping_layers,
            "channel_base": channel_base,
            "channel_max": channel_max,
        }
        for name, number in numbers.items():
            if number < 1:
                raise InputError(f"{name} must be at least 1, got {number}")
        if not 0 <= style_mixing <= 1:
            raise InputError(f"style_mixing must lie in [0, 1], got {style_mixing}")
        if not 0 <= w_mean_decay < 1:
            raise InputError(f"w_mean_decay must lie in [0, 1), got {w_mean_decay}")
        self.sample_shape = tuple(sample_shape)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.style_mixing, self.truncation = style_mixing, finite(truncation, "truncation")
        self.w_mean_decay = w_mean_decay
        self.styles = 2 * len(sizes)  # one for each convolution, and one for the last image
        inputs = latent_dim
        if num_classes is not None:
            self.classes = ClassEmbedding(num_classes, style_dim)
            inputs += style_dim
        self.map = nn.ModuleList(
            EqualizedLinear(inputs if layer == 0 else style_dim, style_dim, lr_multiplier=0.01)
            for layer in range(mapping_layers)
        )
        self.register_buffer("w_mean", torch.zeros(style_dim))
        channels = [max(1, min(channel_base // max(size), channel_max)) for size in sizes]
        self.constant = nn.Parameter(torch.randn(channels[0], *sizes[0]))
        self.first = StyledConv(channels[0], channels[0], style_dim, sizes[0])
        self.doubling = nn.ModuleList(
            StyledConv(width, following, style_dim, size, up=True)
            for (width, following), size in zip(
                itertools.pairwise(channels), sizes[1:], strict=True
            )
        )
        self.following = nn.ModuleList(
            StyledConv(width, width, style_dim, size)
            for width, size in zip(channels[1:], sizes[1:], strict=True)
        )
        self.to_image = nn.ModuleList(
            ToImage(width, self.sample_shape[0], style_dim) for width in channels
        )
        self.upsample = Upsample()
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def mapping(self, z: Tensor, y: Any = None) -> Tensor:
        """Return styles w, shape (N, style_dim), of latents (N, Z) and labels, not truncated."""
        w = normalized(z)
        if self.num_classes is not None:
            w = torch.cat([w, normalized(self.classes(y))], dim=1)
        for layer in self.map:
            w = scaled_leaky_relu(layer(w))
        return w

    def synthesis(self, w: Tensor) -> Tensor:
        """Return images of styles, (N, style_dim), or (N, styles, style_dim) for each layer."""
        if w.ndim == 2:
            w = w[:, None].expand(-1, self.styles, -1)
        x = self.first(self.constant.expand(len(w), -1, -1, -1), w[:, 0])
        images: Tensor = self.to_image[0](x, w[:, 1])
        larger = zip(self.doubling, self.following, self.to_image[1:], strict=True)
        for block, (double, follow, to_image) in enumerate(larger, start=1):
            x = follow(double(x, w[:, 2 * block - 1]), w[:, 2 * block])
            images = self.upsample(images) + to_image(x, w[:, 2 * block + 1])
        return images

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Generate images, about in [-1, 1] after training.

        Args:
            z: Latents, shape (N, Z).
            y: Class labels, int64 of shape (N,), or anything where ``num_classes`` is None.

        Returns:
            Images, shape (N, C, H, W).
        """
        w = self.mapping(z, y)
        if self.training:
            mean = w.detach().mean(0).to(self.w_mean.dtype)
            self.w_mean.lerp_(mean, 1 - self.w_mean_decay)
            if self.style_mixing > 0:
                w = self._mixed(w, z, y)
        elif self.truncation != 1:
            w = self.w_mean + self.truncation * (w - self.w_mean)
        return self.synthesis(w)

    def _mixed(self, w: Tensor, z: Tensor, y: Any) -> Tensor:
        """Return (N, styles, style_dim), with another latent's style from some layer on."""
        n, device = len(z), z.device
        other = self.mapping(z[torch.randperm(n, device=device)], y)
        layer = torch.arange(self.styles, device=device)
        changes = torch.rand(n, 1, device=device) < self.style_mixing
        begins = torch.randint(1, self.styles, (n, 1), device=device)
        takes = (changes & (layer >= begins))[:, :, None]
        return torch.where(takes, other[:, None], w[:, None])


class StyledConv(nn.Module):
    """A modulated 3x3 convolution, noise, a bias and leaky ReLU.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        style_dim: Length of w.
        size: (height, width) of the output.
        up: Whether the output is twice as large as the input.
    """

    def __init__(
        self, in_channels: int, out_channels: int, style_dim: int, size: Size, up: bool = False
    ) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, 3, style_dim, up=up)
        self.noise = NoiseInput(*size)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Return (N, out_channels, *size)."""
        return scaled_leaky_relu(self.noise(self.conv(x, w)) + self.bias[:, None, None])


class ToImage(nn.Module):
    """A modulated 1x1 convolution without demodulation, and a bias.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the image.
        style_dim: Length of w.
    """

    def __init__(self, in_channels: int, out_channels: int, style_dim: int) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, 1, style_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Return (N, out_channels, H, W)."""
        image: Tensor = self.conv(x, w) + self.bias[:, None, None]
        return image


def normalized(x: Tensor) -> Tensor:
    """Return vectors, (N, Z), of a mean square of 1."""
    return x * (x.square().mean(1, keepdim=True) + EPS).rsqrt()
