"""Waves of mel spectrograms without learning: what a vocoder has to be better than."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from lightning_gan import InputError
from lightning_gan_vocoder.mel import MelSettings, MelSpectrogram, overlapped

MOMENTUM = 0.99  # the value that Perraudin et al. 2013 recommend


@torch.no_grad()
def griffin_lim(
    mels: Tensor, transform: MelSpectrogram, iterations: int = 32, momentum: float = MOMENTUM
) -> Tensor:
    """Return waves whose spectrograms come near to mel spectrograms.

    Magnitudes are the filters' pseudo-inverse of the mels, those below 0 set to 0. Phases begin at
    random, always alike, and are those of the last wave's spectrogram from then on (Griffin & Lim
    1984), ahead by ``momentum`` times the last change (Perraudin et al. 2013, algorithm 2).

    Args:
        mels: Log-mel spectrograms, shape (N, M, frames).
        transform: What made them.
        iterations: How often, at least 0.
        momentum: 0 for the plain algorithm.

    Returns:
        Waves, shape (N, 1, frames * hop).

    Raises:
        InputError: ``iterations`` is negative, or the mels are of another shape.
    """
    settings = transform.settings
    if iterations < 0:
        raise InputError(f"iterations must be at least 0, got {iterations}")
    if mels.dim() != 3 or mels.shape[1] != settings.n_mels:
        raise InputError(
            f"mels of shape (N, {settings.n_mels}, frames) are expected, got {tuple(mels.shape)}"
        )
    inverse = torch.linalg.pinv(transform.filters.double().cpu()).to(mels.device, torch.float32)
    magnitudes = (inverse @ mels.float().exp()).clamp(min=0)
    window = settings.window().to(mels.device)
    source = torch.Generator().manual_seed(0)
    angles = torch.rand(magnitudes.shape, generator=source).to(mels.device)
    phases = torch.polar(torch.ones_like(angles), angles * 2 * torch.pi)
    last: Tensor | None = None
    for _ in range(iterations):
        found = _spectrum(overlapped(magnitudes * phases, window, settings), window, settings)
        ahead = found if last is None else found + momentum * (found - last)
        phases, last = ahead / ahead.abs().clamp(min=1e-12), found
    return overlapped(magnitudes * phases, window, settings)[:, None]


def _spectrum(waves: Tensor, window: Tensor, settings: MelSettings) -> Tensor:
    """Return the transform of waves (N, T), mirrored at both ends, shape (N, bins, frames)."""
    if settings.margin:
        waves = pad(waves[:, None], (settings.margin, settings.margin), "reflect")[:, 0]
    found: Tensor = torch.stft(
        waves, settings.n_fft, settings.hop_length, window=window, center=False, return_complex=True
    )
    return found
