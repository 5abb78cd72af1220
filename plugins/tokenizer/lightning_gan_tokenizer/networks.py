"""The two networks of an autoencoder of images, and what its generators share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from lightning_gan import Generator, InputError


class ImageEncoder(nn.Module):
    """Strided convolutions, then residual blocks (van den Oord et al. 2017, section 4.1).

    Args:
        channels: Channels of the images.
        hidden: Channels of the maps.
        levels: Convolutions of stride 2.
        blocks: Residual blocks.
        out: Channels of the result.
    """

    def __init__(self, channels: int, hidden: int, levels: int, blocks: int, out: int) -> None:
        super().__init__()
        widths = [channels, *[hidden] * levels]
        self.down = nn.ModuleList(
            nn.Conv2d(widths[level], hidden, 4, 2, 1) for level in range(levels)
        )
        self.blocks = nn.Sequential(*(ResidualBlock(hidden) for _ in range(blocks)))
        self.conv_out = nn.Conv2d(hidden, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (N, out, h, w) of images (N, C, H, W)."""
        for level, convolution in enumerate(self.down):
            x = convolution(relu(x) if level else x)
        made: Tensor = self.conv_out(relu(self.blocks(x)))
        return made


class ImageDecoder(nn.Module):
    """Residual blocks, then transposed convolutions (van den Oord et al. 2017, section 4.1), tanh.

    Args:
        channels: Channels of the images.
        hidden: Channels of the maps.
        levels: Transposed convolutions of stride 2.
        blocks: Residual blocks.
        given: Channels of what is decoded.
    """

    def __init__(self, channels: int, hidden: int, levels: int, blocks: int, given: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(given, hidden, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(hidden) for _ in range(blocks)))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(hidden, hidden, 4, 2, 1) for _ in range(levels - 1)
        )
        self.conv_out = nn.ConvTranspose2d(hidden, channels, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return images in [-1, 1], (N, C, H, W), of maps (N, given, h, w)."""
        x = relu(self.blocks(self.conv_in(x)))
        for convolution in self.up:
            x = relu(convolution(x))
        return torch.tanh(self.conv_out(x))


class ResidualBlock(nn.Module):
    """ReLU, 3x3 convolution, ReLU, 1x1 convolution, and what went in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(channels, channels, 3, padding=1)
        self.narrow = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the same shape."""
        made: Tensor = self.narrow(relu(self.wide(relu(x))))
        return x + made


class Autoencoder(Generator):
    """What the autoencoders share: an encoder, a decoder, and the image as its own condition.

    Attributes:
        factor: How many times smaller the sides of the codes are than those of the images.
        encoder: The encoder.
        decoder: The decoder, whose last layer is ``decoder.conv_out``.
    """

    latent_dim = 0

    def __init__(
        self,
        sample_shape: Sequence[int],
        encoded: int,
        decoded: int,
        hidden_channels: int,
        levels: int,
        blocks: int,
    ) -> None:
        super().__init__()
        shape = tuple(sample_shape)
        for name, value, least in (
            ("hidden_channels", hidden_channels, 1),
            ("levels", levels, 1),
            ("blocks", blocks, 0),
        ):
            whole_number(value, name, least)
        self.factor = 2**levels
        if len(shape) != 3 or any(side % self.factor for side in shape[1:]):
            raise InputError(
                f"sample_shape must be (C, H, W) with sides that are multiples of {self.factor} "
                f"(levels={levels}), got {shape}: set image_size of the data, or fewer levels"
            )
        self.sample_shape = shape
        self.encoder = ImageEncoder(shape[0], hidden_channels, levels, blocks, encoded)
        self.decoder = ImageDecoder(shape[0], hidden_channels, levels, blocks, decoded)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Return the codes of images (N, C, H, W)."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """Return the images (N, C, H, W) of codes."""

    def images(self, y: Any, like: Tensor) -> Tensor:
        """Return a condition as the images that it has to be.

        Args:
            y: The condition.
            like: A tensor of the type to return.

        Raises:
            InputError: It is no batch of images that the networks can halve.
        """
        channels = self.sample_shape[0]
        fits = isinstance(y, Tensor) and y.dim() == 4 and y.shape[1] == channels
        if not fits or any(side % self.factor for side in y.shape[2:]):
            got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise InputError(
                f"{type(self).__name__} takes images as its condition, y of shape "
                f"(N, {channels}, H, W) with sides that are multiples of {self.factor}, got {got}: "
                "the data give it with prepare_batch=BatchKeys(real=0, y=0)"
            )
        found: Tensor = y.to(like.dtype)
        return found


def whole_number(value: Any, name: str, least: int) -> int:
    """Return a whole number.

    Raises:
        InputError: It is none, or less than the least.
    """
    if type(value) is not int or value < least:
        raise InputError(f"{name} must be a whole number from {least}, got {value!r}")
    return value
