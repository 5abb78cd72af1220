"""Tones that need no files: harmonics with vibrato, in a little noise."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from lightning_gan import InputError
from lightning_gan_vocoder.data import WaveData

HARMONICS = 12
LOWEST, HIGHEST = 110.0, 440.0  # Hz, of the fundamental
SLOWEST, FASTEST = 4.0, 7.0  # Hz, of the vibrato
DEPTH = 0.03  # of the vibrato, as a share of the fundamental
NOISE = 0.003
PEAK = 0.7


class Tones(WaveData):
    """Tones, each of another pitch, vibrato and timbre, that swell and fade; made when asked for.

    A tone is a function of its number and the seed of tones. Harmonics end below half the sample
    rate.

    Args:
        tones: How many there are.
        seconds: How long each is.
        sample_rate: Samples a second, from 907 on.
        n_fft: Length of the Fourier transform, in samples.
        hop_length: Samples between two frames.
        win_length: Length of the window, in samples.
        n_mels: Number of mel filters, M.
        f_min: Where the first filter begins, in Hz.
        f_max: Where the last one ends, in Hz; None: at half the sample rate.
        segment_length: Samples of a segment, a multiple of ``hop_length``, ``n_fft`` at least.
        holdout: Share of tones that are held out, above 0 and below 1.
        batch_size: Segments in a batch, on each process.
        num_workers: Processes that make tones ahead, beside each training process.
        seed: Of order and places, at least 0; the tones are always the same.

    Raises:
        InputError: A number is out of range.
    """

    def __init__(
        self,
        tones: int = 200,
        seconds: float = 1.0,
        sample_rate: int = 8000,
        n_fft: int = 256,
        hop_length: int = 64,
        win_length: int = 256,
        n_mels: int = 40,
        f_min: float = 0.0,
        f_max: float | None = None,
        segment_length: int = 2048,
        holdout: float = 0.1,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            sample_rate, n_fft, hop_length, win_length, n_mels, f_min, f_max, segment_length,
            holdout, batch_size, num_workers, seed,
        )  # fmt: skip
        if type(tones) is not int or tones < 2:
            raise InputError(f"tones must be a whole number from 2, got {tones!r}")
        if not 0 < seconds < math.inf:
            raise InputError(f"seconds must be above 0, got {seconds!r}")
        _check_rate(sample_rate)
        self.tones, self.samples = tones, max(1, round(seconds * sample_rate))
        self._made: dict[int, Tensor] = {}

    def lengths(self) -> list[int]:
        """Return the number of samples of each tone."""
        return [self.samples] * self.tones

    def read(self, index: int, start: int = 0, length: int | None = None) -> Tensor:
        """Return samples of a tone, float32 in [-1, 1], shape (T,)."""
        if index not in self._made:
            self._made[index] = tone(index, self.samples, self.mel.sample_rate)
        whole = self._made[index]
        return whole[start : None if length is None else start + length].clone()


def tone(number: int, samples: int, sample_rate: int) -> Tensor:
    """Return one tone, float32 with a peak of 0.7, shape (samples,).

    Args:
        number: Which one.
        samples: How long it is.
        sample_rate: Samples a second, from 907 on: twice the highest fundamental.

    Raises:
        InputError: The rate is lower.
    """
    _check_rate(sample_rate)
    draws = np.random.default_rng((0, number))
    time = np.arange(samples) / sample_rate
    pitch = LOWEST * (HIGHEST / LOWEST) ** draws.random()
    rate, shift = draws.uniform(SLOWEST, FASTEST), draws.uniform(0, 2 * np.pi)
    hertz = pitch * (1 + DEPTH * np.sin(2 * np.pi * rate * time + shift))
    phase = 2 * np.pi * np.cumsum(hertz) / sample_rate
    wave = np.zeros(samples)
    for harmonic in range(1, HARMONICS + 1):
        loud = draws.uniform(0.2, 1) / harmonic
        if harmonic * pitch * (1 + DEPTH) < sample_rate / 2:
            wave += loud * np.sin(harmonic * phase + draws.uniform(0, 2 * np.pi))
    wave *= np.sin(np.pi * (np.arange(samples) + 0.5) / samples) ** 0.5
    wave = PEAK * wave / np.abs(wave).max() + NOISE * draws.standard_normal(samples)
    return torch.from_numpy(wave).float().clamp(-1, 1)


def _check_rate(sample_rate: int) -> None:
    """Refuse a rate at which the highest tones would have no harmonic at all.

    Raises:
        InputError: It is one.
    """
    least = math.ceil(2 * HIGHEST * (1 + DEPTH))
    if sample_rate < least:
        raise InputError(f"sample_rate must be at least {least} for tones, got {sample_rate}")
