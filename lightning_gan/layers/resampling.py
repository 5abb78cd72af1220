"""Doubling and halving of maps through a low-pass filter, in convolutions of torch alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from lightning_gan.errors import InputError

# The filter of bilinear interpolation: [1, 2, 1] in a row with [1, 1].
TAPS = (1.0, 3.0, 3.0, 1.0)


class Filter(nn.Module):
    """A separable filter of an even number of taps, whose sum is made 1.

    Args:
        taps: Weights along one axis; both axes have the same.

    Raises:
        InputError: Their number is odd or below 2, or their sum is 0.
    """

    kernel: Tensor

    def __init__(self, taps: Sequence[float] = TAPS) -> None:
        super().__init__()
        if len(taps) < 2 or len(taps) % 2 or sum(taps) == 0:
            raise InputError(
                f"taps must be an even number of weights of a sum other than 0, got {tuple(taps)}"
            )
        line = torch.tensor(taps, dtype=torch.float32) / sum(taps)
        self.register_buffer("kernel", torch.outer(line, line), persistent=False)
        self.margin = len(taps) // 2 - 1

    def filtered(self, x: Tensor, stride: int, padding: int) -> Tensor:
        """Filter every channel by itself."""
        channels = x.shape[1]
        kernel = self.kernel.expand(channels, 1, *self.kernel.shape)
        return conv2d(x, kernel, stride=stride, padding=padding, groups=channels)


class Upsample(Filter):
    """Doubles height and width of (N, C, H, W): zeros between the values, then the filter.

    The values outside the map are 0, so that the outermost row and column are darker than inside.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, 2H, 2W)."""
        channels = x.shape[1]
        # Three of four values are zeros: what they leave of the mean is made good.
        kernel = 4 * self.kernel.expand(channels, 1, *self.kernel.shape)
        return conv_transpose2d(x, kernel, stride=2, padding=self.margin, groups=channels)


class Downsample(Filter):
    """Halves height and width of (N, C, H, W), even numbers: the filter, then every second value.

    The values outside the map are 0.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H / 2, W / 2)."""
        return self.filtered(x, stride=2, padding=self.margin)


class Blur(Filter):
    """Filters (N, C, H, W) with so many zeros around it, for convolutions of stride 2.

    Args:
        padding: Rows and columns of zeros on each side.
        gain: Factor of the result.
        taps: Weights along one axis.
    """

    def __init__(self, padding: int, gain: float = 1.0, taps: Sequence[float] = TAPS) -> None:
        super().__init__(taps)
        self.padding, self.gain = padding, gain

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H + 2 padding - taps + 1, W + 2 padding - taps + 1)."""
        return self.gain * self.filtered(x, stride=1, padding=self.padding)
