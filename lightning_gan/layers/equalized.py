"""Layers with an equalised learning rate, and the activation that goes with them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, linear

SLOPE = 0.2
GAIN = math.sqrt(2)  # which makes up for what leaky ReLU takes from the second moment, about


def scaled_leaky_relu(x: Tensor) -> Tensor:
    r"""Return leaky ReLU of slope 0.2, times :math:`\sqrt 2`."""
    return leaky_relu(x, SLOPE) * GAIN


class EqualizedLinear(nn.Module):
    r"""A linear layer whose weights are scaled when it runs (Karras et al. 2018, section 4.1).

    Weights begin as N(0, 1) and are multiplied by :math:`1 / \sqrt{\text{fan\_in}}`, He's constant
    without its gain: an optimizer such as Adam, whose steps do not depend on the scale of
    gradients, then changes all layers at the same relative speed. With an ``lr_multiplier`` m the
    stored weights are N(0, 1 / m^2) and the factor is m-fold, which makes the steps m times as
    large (StyleGAN, Karras et al. 2019: 0.01 for the mapping network).

    Args:
        in_features: Length of an input.
        out_features: Length of an output.
        bias: Whether something is added.
        lr_multiplier: m, above 0.
        bias_init: What is added at first.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        first = torch.full((out_features,), bias_init / lr_multiplier)
        self.bias = nn.Parameter(first) if bias else None
        self.scale, self.lr_multiplier = lr_multiplier / math.sqrt(in_features), lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., out_features) of (..., in_features)."""
        bias = None if self.bias is None else self.bias * self.lr_multiplier
        return linear(x, self.weight * self.scale, bias)


class EqualizedConv2d(nn.Module):
    """A convolution whose weights are scaled when it runs, as those of EqualizedLinear.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Side of the kernel.
        stride: Stride in both directions.
        padding: Zeros on each side; None: as many as keep the size at stride 1.
        bias: Whether something is added.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale = 1 / math.sqrt(in_channels * kernel_size**2)
        self.stride, self.padding = stride, kernel_size // 2 if padding is None else padding

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, H, W)."""
        return conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)
