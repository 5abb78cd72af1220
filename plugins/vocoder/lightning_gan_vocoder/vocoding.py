"""Waves of any length from a trained generator, and its scores on files."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from lightning_gan import InputError
from lightning_gan_vocoder.griffin_lim import griffin_lim
from lightning_gan_vocoder.mel import MelSettings, MelSpectrogram, filled
from lightning_gan_vocoder.metrics import mel_distance
from lightning_gan_vocoder.wave_files import read_wave, wave_files

if TYPE_CHECKING:
    from lightning_gan_vocoder.base import Vocoder

CHUNK = 1024  # frames that are made at once


@torch.no_grad()
def vocode(network: Vocoder, mels: Tensor, chunk: int = CHUNK) -> Tensor:
    """Return waves of mel spectrograms of any length, in bounded memory.

    What is longer than a chunk is made in pieces, each with as many frames to its sides as a sample
    can depend on, so that pieces say what the whole would.

    Args:
        network: The generator, in eval mode.
        mels: Log-mel spectrograms, shape (N, M, frames).
        chunk: Frames of a piece, from 1.

    Returns:
        Waves in [-1, 1], shape (N, 1, frames * hop).

    Raises:
        InputError: ``chunk`` is below 1, or the mels are of another shape.
    """
    if type(chunk) is not int or chunk < 1:
        raise InputError(f"chunk must be a whole number from 1, got {chunk!r}")
    frames, hop, context = mels.shape[-1], network.mel.hop_length, network.context
    latents = mels.new_empty(len(mels), 0)
    pieces = []
    for start in range(0, frames, chunk):
        end = min(start + chunk, frames)
        left, right = max(0, start - context), min(frames, end + context)
        made = network(latents, mels[..., left:right])
        pieces.append(made[..., (start - left) * hop : (end - left) * hop])
    return torch.cat(pieces, dim=-1) if pieces else mels.new_empty(len(mels), 1, 0)


def read_mel(file: Path, settings: MelSettings) -> Tensor:
    """Return a log-mel spectrogram of a NumPy file, float32, shape (1, M, frames).

    Args:
        file: A ``.npy`` file of floats, shape (M, frames) or (1, M, frames).
        settings: How it was made; they say between which numbers it lies.

    Raises:
        InputError: It cannot be read, is of another shape or type, not finite, or no waves have
            such a spectrogram by more than 1: it holds decibels, or no logarithms.
    """
    try:
        found = np.load(file, allow_pickle=False)
    except Exception as error:  # the reader fails in many ways
        reason = (str(error) or type(error).__name__).splitlines()[0][:100]
        raise InputError(f"{file} cannot be read as a NumPy file ({reason})") from error
    shape = found.shape[1:] if found.ndim == 3 and len(found) == 1 else found.shape
    if len(shape) != 2 or shape[0] != settings.n_mels or shape[1] < 1:
        raise InputError(
            f"{file} must hold a log-mel spectrogram of shape ({settings.n_mels}, frames), got "
            f"{found.shape}"
        )
    if found.dtype.kind != "f":
        raise InputError(f"{file} must hold floats, got numbers of type {found.dtype}")
    mel = torch.from_numpy(found.astype(np.float32)).reshape(1, *shape)
    if not bool(mel.isfinite().all()):
        raise InputError(f"{file} holds numbers that are NaN or infinite")
    least, most = settings.bounds()
    low, high = mel.min().item(), mel.max().item()
    if low < least - 1 or high > most + 1 or low >= 0:
        raise InputError(
            f"{file} holds numbers from {low:.4g} to {high:.4g}, where natural logarithms of mel "
            f"magnitudes are expected, from {least:.4g} to {most:.4g} and some below 0"
        )
    return mel


@dataclass(frozen=True)
class Scores:
    """How near waves are to real ones, over files, each weighted with its length.

    Attributes:
        mel_distance: L1 distance of log-mel spectrograms of all frequencies.
        input_distance: The same of those that the input shows.
        hum: How much louder the multiples of the rate of frames are than what lies between them,
            see :func:`hum`, in dB. What upsampling leaves behind is there; of real waves it is
            about 0.
        seconds: Time that a second of sound takes, in seconds.
    """

    mel_distance: float
    input_distance: float
    hum: float
    seconds: float


def scores(
    network: Vocoder, folder: str | Path, iterations: tuple[int, ...] = (32, 60)
) -> dict[str, Scores]:
    """Return how near a generator comes to the WAV files of a folder, and Griffin-Lim.

    Args:
        network: The generator, in eval mode.
        folder: Files that it was not trained with.
        iterations: Of Griffin-Lim, one line for each.

    Returns:
        Scores of ``generator``, ``griffin-lim N`` and, of the files themselves, ``real``.

    Raises:
        InputError: There are no such files, or they do not fit.
    """
    transform = MelSpectrogram(network.mel)
    whole = MelSpectrogram(network.mel.whole_band())
    ways: dict[str, Callable[[Tensor], Tensor]] = {"generator": partial(vocode, network)}
    for n in iterations:
        ways[f"griffin-lim {n}"] = partial(griffin_lim, transform=transform, iterations=n)
    totals = {name: np.zeros(3) for name in (*ways, "real")}
    spectra = {name: torch.zeros(8 * network.mel.hop_length + 1) for name in totals}
    length = 0
    for file in wave_files("WAVES", folder):
        wave = filled(read_wave(file, network.mel.sample_rate)[None, None], network.mel)
        mels, n = transform(wave), wave.shape[-1]
        length += n
        spectra["real"] += power(wave[0, 0], network.mel.hop_length)
        for name, way in ways.items():
            begun = time.perf_counter()
            made = way(mels)
            spent = time.perf_counter() - begun
            far = [float(mel_distance(made, wave, each)) * n for each in (whole, transform)]
            totals[name] += [*far, spent * network.mel.sample_rate]
            spectra[name] += power(made[0, 0], network.mel.hop_length)
    found = {}
    for name, total in totals.items():
        mel, given, seconds = (total / length).tolist()
        found[name] = Scores(mel, given, hum(spectra[name]), seconds)
    return found


def power(wave: Tensor, hop: int) -> Tensor:
    """Return the power of a wave at multiples of a sixteenth of the rate of frames.

    Args:
        wave: Shape (T,).
        hop: Samples between two frames.

    Returns:
        Summed over windows of 16 hops, shape (8 * hop + 1,).
    """
    n = 16 * hop
    padded = pad(wave, (0, max(0, n - len(wave))))
    found = torch.stft(
        padded, n, n // 2, window=torch.hann_window(n), center=False, return_complex=True
    )
    return found.abs().square().sum(1)


def hum(spectrum: Tensor) -> float:
    """Return how much louder multiples of the rate of frames are than their surroundings, in dB.

    Args:
        spectrum: Of :func:`power`, of many waves, whose own pitches are no such multiples.

    Returns:
        The mean over the multiples of ten times the common logarithm of their power over the mean
        of what lies 3 to 6 sixteenths to each side.
    """
    places = torch.arange(16, len(spectrum) - 6, 16)
    beside = torch.tensor([-6, -5, -4, -3, 3, 4, 5, 6])
    around = spectrum[places[:, None] + beside].mean(1)
    ratio = spectrum[places].clamp(min=1e-12) / around.clamp(min=1e-12)
    return float(10 * ratio.log10().mean())
