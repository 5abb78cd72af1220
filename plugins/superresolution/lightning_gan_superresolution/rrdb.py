"""The generator of ESRGAN: residual-in-residual dense blocks, then nearest-neighbor upsampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad, pixel_unshuffle

from lightning_gan import Generator, InputError
from lightning_gan.components.following import weights_follow
from lightning_gan_superresolution.degrading import check_scale
from lightning_gan_superresolution.weights import load_weights

SLOPE = 0.2
RESIDUAL = 0.2  # factor of residuals (Wang et al. 2018, section 3.1)
INITIAL = 0.1  # factor of the first weights inside dense blocks
UPSAMPLED = 4  # by two doublings, whatever the scale: what is doubled is squeezed before


class RRDBGenerator(Generator):
    """An image ``scale`` times as large, by residual-in-residual dense blocks (Wang et al. 2018).

    Its condition is the small image. Convolutions are 3x3 with LeakyReLU; there is no
    normalization. Three dense blocks of five convolutions make one block of ``blocks``; residuals
    are scaled by 0.2 (section 3.1). Two doublings by nearest neighbor follow. For a scale of 2, 2x2
    pixels of the small image are first folded into channels, as Real-ESRGAN does (Wang et al.
    2021).

    Modules have the names of BasicSR's RRDBNet (``conv_first``, ``body.0.rdb1.conv1``, ...,
    ``conv_last``) and see values in [0, 1], so that ``state_dict`` is what loaders of such models
    read, and files of such models load. The standard configuration (64, 23, 32) has 16,697,987
    parameters for a scale of 4 and three channels.

    Args:
        sample_shape: (C, H, W) of what is made; of H and W any will do, the generator's own
            ``sample_shape`` is (C, None, None).
        scale: How many times larger, 2 or 4.
        base_channels: Channels between blocks.
        blocks: Residual-in-residual dense blocks.
        growth_channels: Channels that each convolution of a dense block adds.
        weights_file: Weights to begin with: a ``.pth`` or ``.safetensors`` of this layout, alone or
            as ``params_ema`` or ``params``. None: random ones.

    Raises:
        InputError: A number is out of range, or the file does not fit.
    """

    latent_dim = 0
    num_classes = None

    def __init__(
        self,
        sample_shape: Sequence[int | None],
        scale: int = 4,
        base_channels: int = 64,
        blocks: int = 23,
        growth_channels: int = 32,
        weights_file: str | None = None,
    ) -> None:
        super().__init__()
        check_scale(scale)
        numbers = {
            "base_channels": base_channels,
            "blocks": blocks,
            "growth_channels": growth_channels,
        }
        for name, number in numbers.items():
            if type(number) is not int or number < 1:
                raise InputError(f"{name} must be a whole number from 1, got {number!r}")
        if len(sample_shape) != 3 or sample_shape[0] is None:
            raise InputError(f"sample_shape must be (C, H, W), got {tuple(sample_shape)}")
        channels = sample_shape[0]
        self.sample_shape = (channels, None, None)
        self.scale = scale
        self.squeeze = UPSAMPLED // scale
        self.conv_first = _convolution(channels * self.squeeze**2, base_channels)
        body = [ResidualDenseBlocks(base_channels, growth_channels) for _ in range(blocks)]
        self.body = nn.Sequential(*body)
        self.conv_body = _convolution(base_channels, base_channels)
        self.conv_up1 = _convolution(base_channels, base_channels)
        self.conv_up2 = _convolution(base_channels, base_channels)
        self.conv_hr = _convolution(base_channels, base_channels)
        self.conv_last = _convolution(base_channels, channels)
        if weights_file is not None and not weights_follow():
            load_weights(self, weights_file)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Make large images of small ones.

        Args:
            z: Latents, shape (N, 0).
            y: Small images in [-1, 1], shape (N, C, h, w).

        Returns:
            Images about in [-1, 1], which nothing enforces, shape (N, C, scale h, scale w).

        Raises:
            InputError: y is no batch of images with C channels.
        """
        channels = self.sample_shape[0]
        if not isinstance(y, Tensor) or y.dim() != 4 or y.shape[1] != channels:
            got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise InputError(
                f"RRDBGenerator makes large images of small ones, y of shape (N, {channels}, h, w),"
                f" got {got}: let the data yield (large, small)"
            )
        height, width = y.shape[2] * self.scale, y.shape[3] * self.scale
        x = y.add(1).div(2)
        if self.squeeze > 1:
            filled = (0, -x.shape[3] % self.squeeze, 0, -x.shape[2] % self.squeeze)
            x = pixel_unshuffle(pad(x, filled, mode="replicate"), self.squeeze)
        x = self.conv_first(x)
        x = x + self.conv_body(self.body(x))
        x = leaky_relu(self.conv_up1(_doubled(x)), SLOPE)
        x = leaky_relu(self.conv_up2(_doubled(x)), SLOPE)
        made: Tensor = self.conv_last(leaky_relu(self.conv_hr(x), SLOPE))
        return made[..., :height, :width].mul(2).sub(1)


class ResidualDenseBlocks(nn.Module):
    """Three dense blocks with a residual around them (Wang et al. 2018, figure 4).

    Args:
        width: Channels that go in and out.
        growth: Channels that each convolution adds.
    """

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(width, growth)
        self.rdb2 = DenseBlock(width, growth)
        self.rdb3 = DenseBlock(width, growth)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the same shape, (N, width, H, W)."""
        made: Tensor = self.rdb3(self.rdb2(self.rdb1(x)))
        return x + RESIDUAL * made


class DenseBlock(nn.Module):
    """Five convolutions, each of all maps before it, with a residual around them.

    Args:
        width: Channels that go in and out.
        growth: Channels that each of the first four adds.
    """

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.conv1 = _convolution(width, growth)
        self.conv2 = _convolution(width + growth, growth)
        self.conv3 = _convolution(width + 2 * growth, growth)
        self.conv4 = _convolution(width + 3 * growth, growth)
        self.conv5 = _convolution(width + 4 * growth, width)
        for convolution in self.children():
            assert isinstance(convolution, nn.Conv2d)
            assert convolution.bias is not None
            nn.init.kaiming_normal_(convolution.weight)
            nn.init.zeros_(convolution.bias)
            with torch.no_grad():
                convolution.weight.mul_(INITIAL)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the same shape, (N, width, H, W)."""
        maps = x
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            maps = torch.cat([maps, leaky_relu(convolution(maps), SLOPE)], dim=1)
        made: Tensor = self.conv5(maps)
        return x + RESIDUAL * made


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _doubled(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="nearest")
