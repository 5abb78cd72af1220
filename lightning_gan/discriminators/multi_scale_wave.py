"""A discriminator of waves at several rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import avg_pool1d

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.wave_stacks import WaveStack, wave_shape
from lightning_gan.types import DiscriminatorOutput, not_negative

# Of each convolution but the last: multiple of the channels, kernel, stride, groups.
LAYERS = (
    (1, 15, 1, 1),
    (1, 41, 2, 4),
    (2, 41, 2, 16),
    (4, 41, 4, 16),
    (8, 41, 4, 16),
    (8, 41, 1, 16),
    (8, 5, 1, 1),
)


class MultiScaleWaveDiscriminator(Discriminator):
    r"""Judges waves at full rate and averaged, a head for each (MelGAN, Kumar et al. 2019).

    The wave, and the wave averaged over 4 samples at every second one, once and twice, each go
    through eight convolutions of one dimension, most of them grouped. Layers and widths are those
    of HiFi-GAN's published code (Kong et al. 2020); there as here the first head has spectral
    normalization and the others weight normalization.

    Logits are a list of (N, places), features a list of lists of (N, channels, places), both one
    for each scale.

    Args:
        sample_shape: (C, T), C at least 1; T may be None, for waves of any length.
        scales: Number of heads, at least 1.
        base_channels: Channels of the first convolution, at least 1; the last ones have eight times
            as many. Where groups do not divide them there are fewer groups.
        slope: Slope of LeakyReLU for negative inputs, at least 0.

    Example:
        lightning-gan fit data=random data.shape=[1,1024] generator=mlp \
            discriminator=multi_scale_wave

    Raises:
        InputError: The shape is none of waves, or a number is out of range.
    """

    def __init__(
        self,
        sample_shape: Sequence[int | None] = (1, None),
        scales: int = 3,
        base_channels: int = 128,
        slope: float = 0.1,
    ) -> None:
        super().__init__()
        if min(scales, base_channels) < 1:
            raise InputError(
                f"scales and base_channels must be at least 1, got {scales} and {base_channels}"
            )
        not_negative(slope, "slope")
        self.sample_shape = wave_shape(sample_shape, 2**scales)
        self.stacks = nn.ModuleList()
        for scale in range(scales):
            layers, width = [], self.sample_shape[0]
            for multiple, kernel, stride, groups in LAYERS:
                following = base_channels * multiple
                groups = math.gcd(groups, width, following)
                layers.append(
                    nn.Conv1d(width, following, kernel, stride, kernel // 2, groups=groups)
                )
                width = following
            layers.append(nn.Conv1d(width, 1, 3, padding=1))
            self.stacks.append(WaveStack(layers, "weight" if scale else "spectral", slope))

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Judge waves.

        Args:
            x: Waves, shape (N, C, T).
            y: Not used.

        Returns:
            Logits and features, one entry for each scale.
        """
        judged = []
        for scale, stack in enumerate(self.stacks):
            x = avg_pool1d(x, 4, 2, padding=2) if scale else x
            judged.append(stack(x))
        return DiscriminatorOutput(
            [logits for logits, _ in judged], features=[features for _, features in judged]
        )
