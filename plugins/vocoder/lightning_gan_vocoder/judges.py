"""The discriminators of HiFi-GAN as one, with a head for each period and each scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from lightning_gan import Discriminator, DiscriminatorOutput, InputError
from lightning_gan.discriminators.multi_period import MultiPeriodDiscriminator
from lightning_gan.discriminators.multi_scale_wave import MultiScaleWaveDiscriminator


class HiFiGANDiscriminator(Discriminator):
    """Judges waves by periods and by scales (HiFi-GAN, Kong et al. 2020, section 2.3).

    The heads are those of ``multi_period`` and ``multi_scale_wave`` of lightning-gan, one after the
    other: five periods and three scales in the paper. Logits are a list with one entry for each,
    features a list of lists. The paper sums the losses of heads: ``model.heads=sum``.

    Args:
        sample_shape: (1, T) of training, or (1, None); the discriminator's own ``sample_shape`` is
            (1, None), for any length.
        periods: The periods, in samples.
        period_channels: Channels of the first convolution of each period.
        scales: Number of scales.
        scale_channels: Channels of the first convolution of each scale.
        slope: Slope of LeakyReLU for negative inputs.

    Raises:
        InputError: The shape is none of waves, the waves are too short, or a number is below 1.
    """

    def __init__(
        self,
        sample_shape: Sequence[int | None] = (1, None),
        periods: Sequence[int] = (2, 3, 5, 7, 11),
        period_channels: int = 32,
        scales: int = 3,
        scale_channels: int = 128,
        slope: float = 0.1,
    ) -> None:
        super().__init__()
        if tuple(sample_shape)[:1] != (1,):
            raise InputError(f"sample_shape must be (1, T), got {tuple(sample_shape)}")
        self.mpd = MultiPeriodDiscriminator(sample_shape, periods, period_channels, slope=slope)
        self.msd = MultiScaleWaveDiscriminator(sample_shape, scales, scale_channels, slope)
        self.sample_shape = (1, None)

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Judge waves.

        Args:
            x: Waves, shape (N, 1, T).
            y: Not used.

        Returns:
            Logits and features, one entry for each period, then one for each scale.
        """
        by_period, by_scale = self.mpd(x), self.msd(x)
        return DiscriminatorOutput(
            [*by_period.logits, *by_scale.logits],
            features=[*by_period.features, *by_scale.features],
        )
