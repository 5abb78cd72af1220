"""Residual blocks of image networks that double or halve the sides of a map."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from lightning_gan.layers.conditional_norm import ConditionalNorm2d, run_conditional


class UpBlock(nn.Module):
    """norm-ReLU-upsampling-conv-norm-ReLU-conv beside a 1x1 convolution (Gulrajani et al. 2017).

    Upsampling is by nearest neighbors. A 1x1 convolution and upsampling may change places, and the
    one here goes first: it is a quarter of the work.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        norm: Makes a normalization of so many channels; None: there is none.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        norm: Callable[[int], nn.Module] | None = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        self.norm1 = nn.Identity() if norm is None else norm(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = nn.Identity() if norm is None else norm(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, c: Any = None) -> Tensor:
        """Double the sides, shape (N, C, H, W); ``c`` is what conditional norms get."""
        h = doubled(relu(run_conditional(self.norm1, x, c)))
        h = relu(run_conditional(self.norm2, self.conv1(h), c))
        y: Tensor = self.conv2(h) + doubled(self.shortcut(x))
        return y


class DownBlock(nn.Module):
    """ReLU-conv-ReLU-conv-pooling beside a 1x1 convolution (Gulrajani et al. 2017).

    The first block of a network has no ReLU before its first convolution. Where neither sides nor
    channels change, the shortcut is the identity.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        hidden: Channels between the convolutions.
        halve: Whether 2x2 average pooling halves the sides.
        first: Whether the input is an image.
    """

    def __init__(
        self, in_channels: int, out_channels: int, hidden: int, halve: bool, first: bool = False
    ) -> None:
        super().__init__()
        self.halve, self.first = halve, first
        self.conv1 = nn.Conv2d(in_channels, hidden, 3, padding=1)
        self.conv2 = nn.Conv2d(hidden, out_channels, 3, padding=1)
        learned = first or halve or in_channels != out_channels
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1) if learned else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Look, shape (N, C, H, W)."""
        h = self.conv2(relu(self.conv1(x if self.first else relu(x))))
        if self.halve:
            h, x = avg_pool2d(h, 2), avg_pool2d(x, 2)
        y: Tensor = h + self.shortcut(x)
        return y


def doubled(x: Tensor) -> Tensor:
    """Return maps of twice the sides."""
    return interpolate(x, scale_factor=2, mode="nearest")


def initialize_residual(network: nn.Module) -> None:
    """Draw first weights as SNGAN does, in place: Glorot uniform, biases 0.

    3x3 convolutions of residual blocks have sqrt(2) times the standard deviation, and conditional
    norms have gains of 1 and biases of 0 for every condition.
    """
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, (UpBlock, DownBlock)):
            for conv in (module.conv1, module.conv2):
                nn.init.xavier_uniform_(conv.weight, gain=math.sqrt(2))
        elif isinstance(module, ConditionalNorm2d):
            for table in (*module.gain.parameters(), *module.bias.parameters()):
                nn.init.zeros_(table)


def initialize_orthogonal(network: nn.Module) -> None:
    """Draw first weights as BigGAN does, in place: orthogonal (Saxe et al. 2014), biases 0."""
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.Embedding)):
            nn.init.orthogonal_(module.weight)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
