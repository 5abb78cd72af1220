"""Spectrograms of waves, and the mel scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from lightning_gan.errors import InputError
from lightning_gan.types import widened

# Of Slaney's Auditory Toolbox: a straight line up to 1,000 Hz, and logarithmic from there on.
HZ_OF_A_MEL, KNEE = 200 / 3, 1000.0
LOG_STEP = math.log(6.4) / 27


class Spectrogram(nn.Module):
    """Magnitudes of the short-time Fourier transform, with a Hann window.

    Args:
        fft: Length of the transform, n.
        hop: Samples between two frames.
        window: Length of the window, at most ``fft``; zeros fill up the transform on both sides.
        center: Whether frame t is centred at sample t * hop, the wave mirrored n/2 beyond its ends.
            False: it is mirrored (n - hop) / 2 beyond them, which makes T / hop frames.
        eps: What is added to squared magnitudes, so that the root of silence has a gradient.

    Raises:
        InputError: A length is no whole number from 1, or the window is longer than the transform.
    """

    hann: Tensor

    def __init__(
        self, fft: int, hop: int, window: int, *, center: bool = True, eps: float = 1e-9
    ) -> None:
        super().__init__()
        if any(type(n) is not int or n < 1 for n in (fft, hop, window)) or window > fft:
            raise InputError(
                "a resolution is [fft, hop, window], whole numbers from 1 with window at most fft, "
                f"got {[fft, hop, window]}"
            )
        self.fft, self.hop, self.window, self.eps = fft, hop, window, eps
        self.margin = fft // 2 if center else max(fft - hop, 0) // 2
        hann = torch.hann_window(window, dtype=torch.float64)
        self.register_buffer("hann", hann.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return magnitudes, shape (N, fft // 2 + 1, frames), in float32 or wider.

        Args:
            x: Waves, shape (N, T).

        Raises:
            InputError: The waves are too short.
        """
        x = widened(x)
        if x.shape[-1] <= self.margin or x.shape[-1] + 2 * self.margin < self.fft:
            raise InputError(
                f"waves of {x.shape[-1]} samples are too short for a transform of {self.fft}: "
                "choose smaller resolutions, or longer waves"
            )
        if self.margin:
            x = pad(x[:, None], (self.margin, self.margin), "reflect")[:, 0]
        spectrum = torch.stft(
            x,
            self.fft,
            self.hop,
            self.window,
            window=self.hann.to(x.dtype),
            center=False,
            return_complex=True,
        )
        parts = torch.view_as_real(spectrum)
        magnitudes: Tensor = (parts.square().sum(-1) + self.eps).sqrt()
        return magnitudes


def resolutions_of(given: Any) -> list[tuple[int, int, int]]:
    """Return resolutions as they were given, checked.

    Raises:
        InputError: They are no list of one triple or more.
    """
    triples = isinstance(given, (list, tuple)) and all(
        isinstance(each, (list, tuple)) and len(each) == 3 for each in given
    )
    if not triples or not given:
        raise InputError(f"resolutions must be a list of [fft, hop, window], got {given!r}")
    return [(fft, hop, window) for fft, hop, window in given]


def as_waves(x: Tensor, who: str) -> Tensor:
    """Return samples as waves of one channel each, shape (N * C, T).

    Args:
        x: Samples, shape (N, C, T).
        who: Who asks, for the sentence.

    Raises:
        InputError: They are of another shape.
    """
    if x.dim() != 3:
        raise InputError(f"{who} takes waves (N, C, T), got samples of shape {tuple(x.shape)}")
    return x.flatten(0, 1)


def mel_filters(
    sample_rate: float, fft: int, mels: int, low: float = 0.0, high: float | None = None
) -> Tensor:
    r"""Return triangular filters on the mel scale of Slaney, each of area 1.

    Filter m rises from the centre of filter m - 1 to its own and falls to that of m + 1, centres
    being equally spaced in mel between ``low`` and ``high``; its height is 2 / (its width in Hz).

    Args:
        sample_rate: Samples a second.
        fft: Length of the transform.
        mels: Number of filters, M.
        low: Where the first begins, in Hz.
        high: Where the last ends, in Hz; None: at half the sample rate.

    Returns:
        Filters, shape (M, fft // 2 + 1), float64.

    Raises:
        InputError: A number is out of its range.
    """
    high = sample_rate / 2 if high is None else high
    if not (sample_rate > 0 and 0 <= low < high <= sample_rate / 2) or mels < 1:
        raise InputError(
            "mels must be at least 1 and 0 <= low < high <= sample_rate / 2, got "
            f"mels={mels}, low={low}, high={high}, sample_rate={sample_rate}"
        )
    edges = torch.linspace(_mel(low), _mel(high), mels + 2, dtype=torch.float64)
    hz = torch.where(
        edges < KNEE / HZ_OF_A_MEL,
        edges * HZ_OF_A_MEL,
        KNEE * ((edges - KNEE / HZ_OF_A_MEL) * LOG_STEP).exp(),
    )
    bins = torch.arange(fft // 2 + 1, dtype=torch.float64) * (sample_rate / fft)
    left, middle, right = hz[:-2, None], hz[1:-1, None], hz[2:, None]
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    return torch.minimum(rising, falling).clamp(min=0) * 2 / (right - left)


def _mel(hz: float) -> float:
    if hz < KNEE:
        return hz / HZ_OF_A_MEL
    return KNEE / HZ_OF_A_MEL + math.log(hz / KNEE) / LOG_STEP


def paired_waves(real: Tensor, fake: Tensor, who: str) -> tuple[Tensor, Tensor]:
    """Return real waves and fakes, one for one, shape (N * C, T) each.

    Args:
        real: Real samples, shape (N, C, T).
        fake: Fakes, shape (M, C, T), M a multiple of N: real samples are repeated, as their
            conditions were.
        who: Who asks, for the sentence.

    Raises:
        InputError: They are no waves.
    """
    times = len(fake) // len(real)
    repeated = real if times == 1 else torch.cat([real] * times)
    return as_waves(repeated, who), as_waves(fake, who)


def grouped(values: Tensor, n: int) -> Tensor:
    """Return values of N * C waves as those of N samples, shape (N, rest)."""
    return values.reshape(n, -1)


Resolutions = Sequence[Sequence[int]]
