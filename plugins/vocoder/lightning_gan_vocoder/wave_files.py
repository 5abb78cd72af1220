"""WAV files: read as waves in [-1, 1], and written."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from scipy.io import wavfile
from torch import Tensor

from lightning_gan import InputError

# What becomes 1, by the type that scipy reads; 24 bits come as the upper ones of 32.
FULL = {"uint8": 128.0, "int16": 2.0**15, "int32": 2.0**31, "float32": 1.0, "float64": 1.0}
LOUDEST = 2.0  # of floats, which overshoot a little where they were resampled
SLACK = 64  # bytes by which sizes in heads are wrong
UNKNOWN = 2**31 - 2**16  # sizes from here on are written by programs that cannot know them yet
ENDING = ".wav"


def wave_files(name: str, folder: str | Path) -> list[Path]:
    """Return the WAV files below a folder, sorted.

    Args:
        name: What the folder is called in sentences.
        folder: Where they are.

    Raises:
        InputError: There is no such folder, or no WAV file in it.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise InputError(f"{name} must be a folder of WAV files, and there is none at {folder}")
    found = sorted(
        file
        for file in root.rglob("*")
        if file.suffix.lower() == ENDING and not file.name.startswith(".") and file.is_file()
    )
    if not found:
        raise InputError(f"{name} must be a folder of WAV files, and there are none in {folder}")
    return found


def wave_length(file: Path, sample_rate: int) -> int:
    """Return the number of samples of a file; of whole numbers only the head is read.

    Raises:
        InputError: :func:`read_wave` cannot read it, or not all of it.
    """
    samples = _opened(file, sample_rate)
    if samples.dtype.kind == "f":  # of which some may be NaN, or too large
        read_wave(file, sample_rate)
    return len(samples)


def read_wave(file: Path, sample_rate: int, start: int = 0, length: int | None = None) -> Tensor:
    """Return samples of a WAV file, float32 in [-1, 1], shape (T,).

    Whole numbers of 8, 16, 24 and 32 bits and floats are read. Of several channels it is the mean.
    Floats beyond [-1, 1] by less than as much again are cut.

    Args:
        file: The file.
        sample_rate: Samples a second that it must have.
        start: First sample.
        length: Number of samples, fewer where the file ends before; None: all.

    Raises:
        InputError: It cannot be read, was cut off, has another rate, is empty, or has floats that
            are not finite, or larger than 2.
    """
    whole = _opened(file, sample_rate)
    part = np.array(whole[start : None if length is None else start + length])
    part = part.astype(part.dtype.newbyteorder("="))  # RIFX files have the other one
    x = torch.from_numpy(part).double()
    if part.dtype == np.uint8:
        x = x - FULL["uint8"]
    x = x / FULL[part.dtype.name]
    if x.dim() == 2:
        x = x.mean(1)
    if not bool(x.isfinite().all()):
        raise InputError(f"{file} has samples that are NaN or infinite: repair or remove it")
    if x.numel() and x.abs().max() > LOUDEST:
        raise InputError(
            f"{file} has floating point samples up to {x.abs().max():.4g}, where [-1, 1] is "
            "expected: divide them by their full scale"
        )
    return x.clamp(-1, 1).float()


def write_wave(file: Path, wave: Tensor, sample_rate: int) -> None:
    """Write a wave as a WAV file of 16 bits, whole or not at all.

    Args:
        file: The file; an earlier one is replaced, and the folder is made.
        wave: In [-1, 1], shape (T,), cut to that.
        sample_rate: Samples a second.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    full = FULL["int16"]
    numbers = (wave.detach().cpu().double() * full).round().clamp(-full, full - 1)
    beside = file.with_name(f".{file.name}.{os.getpid()}.unfinished")
    try:
        wavfile.write(beside, sample_rate, numbers.to(torch.int16).numpy())
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _opened(file: Path, sample_rate: int) -> Any:
    """Return the samples of a file as they lie, shape (T,) or (T, channels), mapped where possible.

    Raises:
        InputError: It cannot be read, was cut off, has another rate or another kind of numbers, or
            is empty.
    """
    try:
        head, size = _head(file), file.stat().st_size
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks of no concern
            try:
                rate, samples = wavfile.read(file, mmap=True)
            except ValueError:  # 24 bits cannot be mapped
                rate, samples = wavfile.read(file)
    except Exception as error:  # scipy fails in many ways
        reason = (str(error) or type(error).__name__).splitlines()[0][:100]
        raise InputError(
            f"{file} cannot be read as a WAV file ({reason}): convert it, or remove it"
        ) from error
    if rate != sample_rate:
        raise InputError(
            f"{file} has {rate} samples a second, and sample_rate={sample_rate} is expected: "
            f"resample it, or train with sample_rate={rate}"
        )
    order: Literal["big", "little"] = "big" if head[:4] == b"RIFX" else "little"
    promised = int.from_bytes(head[4:], order) + len(head)
    if size + SLACK < promised < UNKNOWN:
        raise InputError(
            f"{file} has {size} bytes, and its head says {promised}: it was cut off; get it whole, "
            "or remove it"
        )
    if samples.dtype.name not in FULL:
        raise InputError(
            f"{file} has samples of type {samples.dtype}, and whole numbers of 8 to 32 bits or "
            "floats are expected: convert it"
        )
    if len(samples) == 0:
        raise InputError(f"{file} holds no samples: remove it")
    return samples


def _head(file: Path) -> bytes:
    """Return the first bytes of a file: a name, and how many bytes follow."""
    with file.open("rb") as opened:
        return opened.read(8)
