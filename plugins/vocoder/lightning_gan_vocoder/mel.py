"""Mel spectrograms: their settings, and how waves become them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import fold, pad

from lightning_gan import InputError
from lightning_gan.regularizers.log_mel import LogMelRegularizer

FLOOR = 1e-5  # of mel magnitudes, in log_mel
LEAST = 1e-8  # squared window below which no sample is trusted


@dataclass(frozen=True)
class MelSettings:
    """How a wave becomes a mel spectrogram; the defaults are those of HiFi-GAN's published code.

    Attributes:
        sample_rate: Samples a second.
        n_fft: Length of the Fourier transform, in samples.
        hop_length: Samples between two frames.
        win_length: Length of the Hann window, in samples, at most ``n_fft``.
        n_mels: Number of filters, M.
        f_min: Where the first filter begins, in Hz.
        f_max: Where the last one ends, in Hz; None: at half the sample rate.

    Raises:
        InputError: A number is out of its range.
    """

    sample_rate: int = 22050
    n_fft: int = 1024
    hop_length: int = 256
    win_length: int = 1024
    n_mels: int = 80
    f_min: float = 0.0
    f_max: float | None = 8000.0

    def __post_init__(self) -> None:
        for name in ("sample_rate", "n_fft", "hop_length", "win_length", "n_mels"):
            number = getattr(self, name)
            if type(number) is not int or number < 1:
                raise InputError(f"{name} must be a whole number from 1, got {number!r}")
        if not self.hop_length <= self.win_length <= self.n_fft:
            raise InputError(
                "hop_length <= win_length <= n_fft is expected, got "
                f"{self.hop_length}, {self.win_length} and {self.n_fft}"
            )
        if (self.n_fft - self.hop_length) % 2:
            raise InputError(
                "n_fft and hop_length must both be even or both be odd, got "
                f"{self.n_fft} and {self.hop_length}"
            )
        highest = self.sample_rate / 2
        if not 0 <= self.f_min < (highest if self.f_max is None else self.f_max) <= highest:
            raise InputError(
                f"0 <= f_min < f_max <= {highest:g} Hz, half the sample_rate, is expected, got "
                f"f_min={self.f_min} and f_max={self.f_max}"
            )

    @classmethod
    def of(cls, given: Any) -> MelSettings:
        """Return settings of a mapping, or of others; None: the defaults.

        Raises:
            InputError: A name is unknown, or a number out of its range.
        """
        if isinstance(given, cls):
            return given
        try:
            return cls(**(given or {}))
        except TypeError:
            names = ", ".join(cls.__dataclass_fields__)
            raise InputError(f"mel must be a mapping of some of {names}, got {given!r}") from None

    @property
    def margin(self) -> int:
        """Samples by which a wave is mirrored at each end, so that T samples are T / hop frames."""
        return (self.n_fft - self.hop_length) // 2

    def whole_band(self) -> MelSettings:
        """Return the same for all frequencies: what the loss and the distances look at."""
        return replace(self, f_min=0.0, f_max=None)

    def bounds(self) -> tuple[float, float]:
        """Return what log-mel spectrograms of waves in [-1, 1] cannot fall below or exceed."""
        heaviest = MelSpectrogram(self).filters.sum(1).max().item()
        return math.log(FLOOR), math.log(max(heaviest * self.win_length / 2, FLOOR))

    def window(self) -> Tensor:
        """Return the Hann window amid zeros, where the transform has it, shape (n_fft,)."""
        spare = self.n_fft - self.win_length
        window = torch.hann_window(self.win_length, dtype=torch.float64)
        return pad(window, (spare // 2, spare - spare // 2)).float()

    def as_dict(self) -> dict[str, Any]:
        """Return names and numbers."""
        return asdict(self)


class MelSpectrogram(nn.Module):
    r"""Waves to log-mel spectrograms: :math:`\log\max(M |S|, 10^{-5})` (Kong et al. 2020).

    S is the short-time Fourier transform with a Hann window, of the wave mirrored at both ends, and
    M triangular filters of area 1 on Slaney's scale. The regularizer ``log_mel`` of lightning-gan
    computes it, which is the term that the generator is trained with.

    Args:
        settings: Its numbers.

    Attributes:
        settings: The same.
    """

    def __init__(self, settings: MelSettings) -> None:
        super().__init__()
        self.settings = settings
        self._term = LogMelRegularizer(
            sample_rate=settings.sample_rate,
            fft=settings.n_fft,
            hop=settings.hop_length,
            window=settings.win_length,
            mels=settings.n_mels,
            low=settings.f_min,
            high=settings.f_max,
        )

    @property
    def filters(self) -> Tensor:
        """The filters, shape (M, n_fft // 2 + 1)."""
        return self._term.filters

    @torch.no_grad()
    def forward(self, waves: Tensor) -> Tensor:
        """Return log-mel spectrograms, shape (N, M, T / hop rounded down), without gradient.

        Args:
            waves: In [-1, 1], shape (N, 1, T).

        Raises:
            InputError: They are of another shape.
        """
        if waves.dim() != 3 or waves.shape[1] != 1:
            raise InputError(f"waves of shape (N, 1, T) are expected, got {tuple(waves.shape)}")
        return self._term.log_mel(waves[:, 0])


def filled(waves: Tensor, settings: MelSettings) -> Tensor:
    """Return waves (N, 1, T) with silence at their end, to whole frames and a transform at least.

    Args:
        waves: In [-1, 1], shape (N, 1, T).
        settings: Of the frames.
    """
    length = max(waves.shape[-1], settings.n_fft)
    return pad(waves, (0, length + -length % settings.hop_length - waves.shape[-1]))


def overlapped(spectrum: Tensor, window: Tensor, settings: MelSettings) -> Tensor:
    """Return the waves that are nearest to spectra (Griffin & Lim 1984, equation 6), (N, T).

    Args:
        spectrum: Complex, shape (N, n_fft // 2 + 1, frames), of waves mirrored at both ends.
        window: Of the settings, shape (n_fft,).
        settings: Of the transform.

    Returns:
        T is frames * hop: what was mirrored is left out.
    """
    n, hop, frames = settings.n_fft, settings.hop_length, spectrum.shape[-1]
    pieces = torch.fft.irfft(spectrum, n, dim=1) * window[:, None]
    weights = window.square()[None, :, None].expand(1, -1, frames)
    size = (1, n + hop * (frames - 1))
    added = fold(pieces, size, (1, n), stride=(1, hop))[:, 0, 0]
    weight = fold(weights.contiguous(), size, (1, n), stride=(1, hop))[:, 0, 0]
    whole = added / weight.clamp(min=LEAST)
    return whole[:, settings.margin : settings.margin + frames * hop]
