"""Distance of log-mel spectrograms."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.layers.spectrogram import Spectrogram, grouped, mel_filters, paired_waves
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep


class LogMelRegularizer(Regularizer):
    r"""L1 distance of log-mel spectrograms of real and generated waves (Kong et al. 2020).

    The generator minimises the mean of
    :math:`|\log\max(M S, \epsilon) - \log\max(M \hat S, \epsilon)|` for each sample, S magnitudes
    of the short-time Fourier transform with a Hann window, M triangular filters of area 1 on
    Slaney's mel scale, and :math:`\epsilon = 10^{-5}`. The defaults are those of HiFi-GAN's
    published configuration, and ``weight`` its factor of 45. Real waves are the targets: the
    generator gets its condition with them. The mean is over channels as well. Under autocast it is
    computed in float32, of waves as the generator made them.

    Args:
        weight: Factor of the term, any number.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.
        sample_rate: Samples a second, above 0.
        fft: Length of the transform, in samples, at least 1.
        hop: Samples between two frames, at least 1.
        window: Length of the window, at least 1 and at most ``fft``.
        mels: Number of filters, at least 1.
        low: Where the first filter begins, in Hz, at least 0.
        high: Where the last one ends, in Hz, above ``low`` and at most half the sample rate; None:
            there.

    Example:
        lightning-gan fit data=random data.shape=[1,2048] generator=mlp discriminator=mlp \
            regularizers=[log_mel]

    Raises:
        InputError: A number is out of its range, or samples are no waves (N, C, T) or too short.
    """

    filters: Tensor

    def __init__(
        self,
        weight: float = 45.0,
        interval: int = 1,
        sample_rate: float = 22050.0,
        fft: int = 1024,
        hop: int = 256,
        window: int = 1024,
        mels: int = 80,
        low: float = 0.0,
        high: float | None = None,
    ) -> None:
        super().__init__(weight, interval)
        if sample_rate <= 0:
            raise InputError(f"sample_rate must be positive, got {sample_rate}")
        self.spectrogram = Spectrogram(fft, hop, window, center=False)
        filters = mel_filters(sample_rate, fft, mels, low, high).float()
        self.register_buffer("filters", filters, persistent=False)

    def log_mel(self, x: Tensor) -> Tensor:
        """Return the log-mel spectrograms of waves (N, T), shape (N, mels, frames)."""
        magnitudes = self.spectrogram(x)
        with torch.autocast(x.device.type, enabled=False):
            found: Tensor = (self.filters.to(magnitudes) @ magnitudes).clamp(min=1e-5).log()
        return found

    def generator(self, step: AdversarialStep) -> Tensor:
        """Return the distance of each fake, shape (M,)."""
        real, fake = paired_waves(step.real, step.fake, type(self).__name__)
        distance = grouped(self.log_mel(fake) - self.log_mel(real), len(step.fake))
        return distance.abs().mean(1)
