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

from lightning_gan import InputError
from lightning_gan_vocoder.griffin_lim import griffin_lim
from lightning_gan_vocoder.mel import MelSpectrogram, filled
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


def read_mel(file: Path, n_mels: int) -> Tensor:
    """Return a log-mel spectrogram of a NumPy file, float32, shape (1, M, frames).

    Args:
        file: A ``.npy`` file of shape (M, frames) or (1, M, frames).
        n_mels: M.

    Raises:
        InputError: It cannot be read, is of another shape, or not finite.
    """
    try:
        found = torch.from_numpy(np.load(file, allow_pickle=False)).float()
    except Exception as error:  # of the reader, or a type that torch lacks
        reason = (str(error) or type(error).__name__).splitlines()[0][:100]
        raise InputError(f"{file} cannot be read as a NumPy file ({reason})") from error
    mel = found if found.dim() == 3 else found[None]
    if mel.dim() != 3 or len(mel) != 1 or mel.shape[1] != n_mels or mel.shape[2] < 1:
        raise InputError(
            f"{file} must hold a log-mel spectrogram of shape ({n_mels}, frames), got "
            f"{tuple(found.shape)}"
        )
    if not bool(mel.isfinite().all()):
        raise InputError(f"{file} holds numbers that are NaN or infinite")
    return mel


@dataclass(frozen=True)
class Scores:
    """Distances of log-mel spectrograms over files, each weighted with its length.

    Attributes:
        mel_distance: Of all frequencies.
        input_distance: Of those that the input shows.
        seconds: Time that a second of sound takes, in seconds.
    """

    mel_distance: float
    input_distance: float
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
        Scores of ``generator`` and ``griffin-lim N``.

    Raises:
        InputError: There are no such files, or they do not fit.
    """
    transform = MelSpectrogram(network.mel)
    whole = MelSpectrogram(network.mel.whole_band())
    ways: dict[str, Callable[[Tensor], Tensor]] = {"generator": partial(vocode, network)}
    for n in iterations:
        ways[f"griffin-lim {n}"] = partial(griffin_lim, transform=transform, iterations=n)
    totals = {name: np.zeros(3) for name in ways}
    length = 0
    for file in wave_files("WAVES", folder):
        wave = filled(read_wave(file, network.mel.sample_rate)[None, None], network.mel)
        mels, n = transform(wave), wave.shape[-1]
        length += n
        for name, way in ways.items():
            begun = time.perf_counter()
            made = way(mels)
            spent = time.perf_counter() - begun
            far = [float(mel_distance(made, wave, each)) * n for each in (whole, transform)]
            totals[name] += [*far, spent * network.mel.sample_rate]
    return {name: Scores(*(total / length).tolist()) for name, total in totals.items()}
