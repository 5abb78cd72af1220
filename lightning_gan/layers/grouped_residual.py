"""The residual block without normalisation of R3GAN."""

from __future__ import annotations

import math

from torch import Tensor, nn

from lightning_gan.errors import InputError

SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # of He et al. 2015 for leaky ReLU


def scaled_normal_(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> None:
    """Draw weights anew from N(0, gain^2 / fan_in), and set biases to 0."""
    nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class GroupedResidualBlock(nn.Module):
    r"""1x1, grouped 3x3 and 1x1 convolutions beside the identity (R3GAN, Huang et al. 2024).

    The first two convolutions have biases and leaky ReLU behind them; nothing is normalised. They
    begin as in Fixup (Zhang et al. 2019): the last convolution at 0, so that the block begins as
    the identity, and the other two with He's standard deviation times :math:`L^{-1/4}`, for a
    network of L blocks of three layers.

    Args:
        width: Channels of input and output.
        cardinality: Groups of the 3x3 convolution.
        expansion: Channels inside, in multiples of ``width``.
        depth: L, the number of blocks of the network.

    Raises:
        InputError: ``cardinality`` does not divide the channels inside.
    """

    def __init__(self, width: int, cardinality: int, expansion: int, depth: int) -> None:
        super().__init__()
        inside = expansion * width
        if inside % cardinality:
            raise InputError(
                f"cardinality must divide expansion * width of its stage, got "
                f"cardinality={cardinality}, expansion={expansion}, width={width}"
            )
        first = nn.Conv2d(width, inside, 1)
        second = nn.Conv2d(inside, inside, 3, padding=1, groups=cardinality)
        last = nn.Conv2d(inside, width, 1, bias=False)
        for layer in (first, second):
            scaled_normal_(layer, GAIN * depth**-0.25)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(first, nn.LeakyReLU(SLOPE), second, nn.LeakyReLU(SLOPE), last)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, width, H, W)."""
        y: Tensor = x + self.layers(x)
        return y
