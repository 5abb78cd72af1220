"""A discriminator of waves, folded by several periods."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.wave_stacks import Norm, WaveStack, wave_shape
from lightning_gan.types import DiscriminatorOutput, not_negative


class MultiPeriodDiscriminator(Discriminator):
    r"""Judges waves folded by periods, a head for each (HiFi-GAN, Kong et al. 2020, section 2.3).

    For a period p the wave, mirrored at its end to a multiple of p, becomes an image of T / p rows
    and p columns. Five convolutions of kernel (5, 1), four of them of stride (3, 1), and a last one
    of (3, 1) never mix columns. Layers and widths are those of the authors' published code: 32,
    128, 512, 1024 and 1024 channels.

    Logits are a list of (N, places), features a list of lists of (N, channels, rows, p), both one
    for each period.

    Args:
        sample_shape: (C, T), C at least 1; T may be None, for waves of any length.
        periods: The periods, in samples, each at least 1; the paper's are primes.
        base_channels: Channels of the first convolution, at least 1.
        norm: Normalization of the weights.
        slope: Slope of LeakyReLU for negative inputs, at least 0.

    Example:
        lightning-gan fit data=random data.shape=[1,1024] generator=mlp \
            discriminator=multi_period

    Raises:
        InputError: The shape is none of waves, T is not above the largest period, a number
            is out of range, or ``norm`` is unknown.
    """

    def __init__(
        self,
        sample_shape: Sequence[int | None] = (1, None),
        periods: Sequence[int] = (2, 3, 5, 7, 11),
        base_channels: int = 32,
        norm: Norm = "weight",
        slope: float = 0.1,
    ) -> None:
        super().__init__()
        if not periods or min(periods) < 1:
            raise InputError(f"periods must be whole numbers from 1, got {list(periods)}")
        if base_channels < 1:
            raise InputError(f"base_channels must be at least 1, got {base_channels}")
        not_negative(slope, "slope")
        self.sample_shape = wave_shape(sample_shape, max(periods))
        self.periods = tuple(periods)
        widths = [self.sample_shape[0], *(base_channels * w for w in (1, 4, 16, 32, 32))]
        self.stacks = nn.ModuleList()
        for _ in self.periods:
            layers = [
                nn.Conv2d(width, following, (5, 1), (3 if index < 4 else 1, 1), padding=(2, 0))
                for index, (width, following) in enumerate(pairwise(widths))
            ]
            layers.append(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))
            self.stacks.append(WaveStack(layers, norm, slope))

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Judge waves.

        Args:
            x: Waves, shape (N, C, T).
            y: Not used.

        Returns:
            Logits and features, one entry for each period.
        """
        judged = [
            stack(_folded(x, period))
            for period, stack in zip(self.periods, self.stacks, strict=True)
        ]
        return DiscriminatorOutput(
            [logits for logits, _ in judged], features=[features for _, features in judged]
        )


def _folded(x: Tensor, period: int) -> Tensor:
    """Return waves (N, C, T) as images (N, C, rows, period)."""
    missing = -x.shape[-1] % period
    if missing:
        x = pad(x, (0, missing), "reflect")
    return x.reshape(*x.shape[:2], -1, period)
