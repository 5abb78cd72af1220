"""Convolutions with the "same" padding of Keras and TensorFlow, which is not symmetric.

The padding of torch is the same on both sides. Where the total is odd, these put the odd row at
the bottom and the odd column on the right.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad


class SameConv2d(nn.Conv2d):
    """A convolution from (N, C, H, W) to sizes ceil(H / stride), ceil(W / stride).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Side of the kernel.
        stride: Stride in both directions.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Pad and convolve."""
        margins = [margin for size in (x.shape[-1], x.shape[-2]) for margin in self._margins(size)]
        return super().forward(pad(x, margins))

    def _margins(self, size: int) -> tuple[int, int]:
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2


class SameConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution from (N, C, H, W) to sizes H * stride, W * stride.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Side of the kernel, at least ``stride``.
        stride: Stride in both directions.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1
    ) -> None:
        margin = (kernel_size - stride) // 2
        super().__init__(in_channels, out_channels, kernel_size, stride, padding=margin)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve, and cut off what the margin of both sides left over at the bottom and right."""
        height, width = (size * self.stride[0] for size in x.shape[-2:])
        return super().forward(x, output_size)[..., :height, :width]
