"""A discriminator of waves by their spectrograms at several resolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.spectrogram import Spectrogram, as_waves, resolutions_of
from lightning_gan.layers.wave_stacks import Norm, WaveStack, wave_shape
from lightning_gan.types import DiscriminatorOutput, not_negative


class MultiResolutionDiscriminator(Discriminator):
    r"""Judges magnitudes of spectrograms, a head for each resolution (UnivNet, Jang et al. 2021).

    The magnitudes of the short-time Fourier transform, one image of frequencies and frames for
    each resolution, go through four convolutions of kernel (3, 9), three of them of stride 2 along
    the frames, and two of (3, 3). (Encodec's discriminators see real and imaginary parts in place
    of magnitudes: they are others.) Resolutions and layers are those of UnivNet at 24 kHz.

    Logits are a list of (N, places), features a list of lists of (N, channels, frequencies,
    frames), both one for each resolution. Waves must be longer than (fft - hop) / 2.

    Args:
        sample_shape: (C, T), C at least 1; T may be None, for waves of any length.
        resolutions: [fft, hop, window] in samples, each at least 1 and window at most fft, one for
            each head.
        base_channels: Channels of all convolutions but the last, at least 1.
        norm: Normalization of the weights.
        slope: Slope of LeakyReLU for negative inputs, at least 0.

    Example:
        lightning-gan fit data=random data.shape=[1,1024] generator=mlp \
            discriminator=multi_resolution

    Raises:
        InputError: The shape is none of waves, the waves are too short, a resolution is no such
            triple, a number is out of range, or ``norm`` is unknown.
    """

    def __init__(
        self,
        sample_shape: Sequence[int | None] = (1, None),
        resolutions: Sequence[Sequence[int]] = (
            (1024, 120, 600),
            (2048, 240, 1200),
            (512, 50, 240),
        ),
        base_channels: int = 32,
        norm: Norm = "weight",
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        if base_channels < 1:
            raise InputError(f"base_channels must be at least 1, got {base_channels}")
        not_negative(slope, "slope")
        self.resolutions = resolutions_of(resolutions)
        self.spectrograms = nn.ModuleList(
            Spectrogram(*each, center=False) for each in self.resolutions
        )
        least = max((fft - hop) // 2 for fft, hop, _ in self.resolutions)
        self.sample_shape = wave_shape(sample_shape, max(least, 1))
        channels, width = self.sample_shape[0], base_channels
        self.stacks = nn.ModuleList()
        for _ in self.resolutions:
            layers = [nn.Conv2d(channels, width, (3, 9), padding=(1, 4))]
            layers += [nn.Conv2d(width, width, (3, 9), (1, 2), padding=(1, 4)) for _ in range(3)]
            layers += [nn.Conv2d(width, each, (3, 3), padding=1) for each in (width, 1)]
            self.stacks.append(WaveStack(layers, norm, slope))

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Judge waves.

        Args:
            x: Waves, shape (N, C, T).
            y: Not used.

        Returns:
            Logits and features, one entry for each resolution.

        Raises:
            InputError: The waves are too short.
        """
        waves, channels = as_waves(x, type(self).__name__), x.shape[1]
        judged = []
        for spectrogram, stack in zip(self.spectrograms, self.stacks, strict=True):
            magnitudes = spectrogram(waves)
            magnitudes = magnitudes.reshape(-1, channels, *magnitudes.shape[1:])
            judged.append(stack(magnitudes))
        return DiscriminatorOutput(
            [logits for logits, _ in judged], features=[features for _, features in judged]
        )
