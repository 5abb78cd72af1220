"""The StyleGAN2 discriminator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.equalized import EqualizedConv2d, EqualizedLinear, scaled_leaky_relu
from lightning_gan.layers.minibatch_stddev import MinibatchStddev
from lightning_gan.layers.resampling import Blur, Downsample
from lightning_gan.layers.stages import stage_sizes


class StyleGAN2Discriminator(Discriminator):
    r"""Residual blocks, minibatch standard deviation and one logit (StyleGAN2, Karras et al. 2020).

    A 1x1 convolution reads the image; residual blocks (figure 7) halve it, each by a 3x3
    convolution, a low-pass filter and a 3x3 convolution of stride 2. The standard deviation over a
    few samples joins the smallest map as a channel; a 3x3 convolution and two linear layers make
    the logit. All layers have an equalised learning rate. With classes, the last layer makes a
    vector of E numbers, and the logit is its inner product with a learned one of the class, over
    :math:`\sqrt E` (projection, Miyato & Koyama 2018).

    Config F of the paper is ``channel_base=32768, channel_max=512``.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4. The smallest map is what
            is left when the image is halved while its sides are even and the halves are 4 or more.
        channel_base: A map of side s has ``channel_base`` / s channels; at least 1.
        channel_max: Most channels of a map, at least 1.
        group_size: Most samples over which the standard deviation is taken, at least 0; 0 leaves it
            out, and no sample depends on the others.
        num_classes: K for a class-conditional discriminator, at least 1; None ignores labels.

    Raises:
        InputError: The shape does not fit, or a number is out of range.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        channel_base: int = 1024,
        channel_max: int = 64,
        group_size: int = 4,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        sizes = stage_sizes(sample_shape)
        if min(channel_base, channel_max) < 1:
            raise InputError(
                f"channel_base and channel_max must be at least 1, got "
                f"channel_base={channel_base}, channel_max={channel_max}"
            )
        if group_size < 0:
            raise InputError(f"group_size must be at least 0, got {group_size}")
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes
        channels = [max(1, min(channel_base // max(size), channel_max)) for size in sizes]
        deepest, (height, width) = channels[0], sizes[0]
        self.from_image = EqualizedConv2d(self.sample_shape[0], channels[-1], 1)
        self.blocks = nn.Sequential(
            *(HalvingBlock(wide, narrow) for wide, narrow in pairwise(reversed(channels)))
        )
        self.deviation = MinibatchStddev(group_size) if group_size > 0 else None
        self.couples_samples = group_size > 1
        self.conv = EqualizedConv2d(deepest + (group_size > 0), deepest, 3)
        self.linear = EqualizedLinear(deepest * height * width, deepest)
        self.head = EqualizedLinear(deepest, 1 if num_classes is None else deepest)
        if num_classes is not None:
            self.classes = ClassEmbedding(num_classes, deepest)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, x: Tensor, y: Any = None) -> Tensor:
        """Judge images.

        Args:
            x: Images, shape (N, C, H, W).
            y: Class labels, int64 of shape (N,), or anything where ``num_classes`` is None.

        Returns:
            Logits, shape (N,).
        """
        h = self.blocks(scaled_leaky_relu(self.from_image(x)))
        if self.deviation is not None:
            h = self.deviation(h)
        h = scaled_leaky_relu(self.conv(h)).flatten(1)
        said: Tensor = self.head(scaled_leaky_relu(self.linear(h)))
        if self.num_classes is None:
            return said.squeeze(1)
        logits: Tensor = (said * self.classes(y)).sum(1) / math.sqrt(said.shape[1])
        return logits


class HalvingBlock(nn.Module):
    """Two 3x3 convolutions, the second of stride 2, beside a 1x1 one, both after a low-pass filter.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = EqualizedConv2d(in_channels, in_channels, 3)
        self.blur = Blur(padding=2)
        self.second = EqualizedConv2d(in_channels, out_channels, 3, stride=2, padding=0)
        self.downsample = Downsample()
        self.skip = EqualizedConv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out_channels, H / 2, W / 2)."""
        h = scaled_leaky_relu(self.first(x))
        h = scaled_leaky_relu(self.second(self.blur(h)))
        halved: Tensor = (h + self.skip(self.downsample(x))) / math.sqrt(2)
        return halved
