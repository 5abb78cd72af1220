"""The convolution whose weights a style scales, one way for each sample."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from lightning_gan.layers.equalized import EqualizedLinear
from lightning_gan.layers.resampling import Blur

EPS = 1e-8


class ModulatedConv2d(nn.Module):
    r"""A convolution with weights of its own for each sample (StyleGAN2, Karras et al. 2020).

    The style s, an affine function of w, scales the input channels of the weights (modulation,
    equation 1), and each output channel's weights are divided by their norm (demodulation,
    equation 3):

    .. math:: w'_{ijk} = s_i w_{ijk}, \qquad
        w''_{ijk} = w'_{ijk} \Big/ \sqrt{\textstyle\sum_{i,k} {w'_{ijk}}^2 + \epsilon}

    The sum over i and k can be pulled through the convolution. So the layer scales what goes in by
    s and what comes out by the reciprocal norms, and convolves all samples with the same weights.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Side of the kernel, odd.
        style_dim: Length of w.
        demodulate: Whether to divide by the norms; not where images are made.
        up: Whether to double the size, through a low-pass filter; with a kernel of side 3.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        style_dim: int,
        demodulate: bool = True,
        up: bool = False,
    ) -> None:
        super().__init__()
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.affine = EqualizedLinear(style_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(shape))
        self.scale = 1 / math.sqrt(in_channels * kernel_size**2)
        self.demodulate, self.padding = demodulate, kernel_size // 2
        self.blur = Blur(padding=1, gain=4.0) if up else None

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Convolve (N, C, H, W) in the style of w, (N, style_dim)."""
        style, weight = self.affine(w), self.weight * self.scale
        y = self._convolved(x * style[:, :, None, None], weight)
        if self.demodulate:
            squares = style.square() @ weight.square().sum((2, 3)).t()
            y = y * (squares + EPS).rsqrt()[:, :, None, None]
        return y

    def _convolved(self, x: Tensor, weight: Tensor) -> Tensor:
        if self.blur is None:
            return conv2d(x, weight, padding=self.padding)
        # (N, O, 2H + 1, 2W + 1), and (N, O, 2H, 2W) after the filter.
        doubled: Tensor = self.blur(conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        return doubled
