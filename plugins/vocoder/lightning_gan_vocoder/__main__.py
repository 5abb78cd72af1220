"""``python -m lightning_gan_vocoder``: scores beside Griffin-Lim's, weights for others, tones."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning_gan import InputError
from lightning_gan_vocoder.base import vocoder_at
from lightning_gan_vocoder.tones import tone
from lightning_gan_vocoder.vocoding import scores
from lightning_gan_vocoder.wave_files import write_wave
from lightning_gan_vocoder.weights import write_weights


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words of the command line say; 0, or 2 after wrong input."""
    given = parser().parse_args(words)
    try:
        said: str = given.run(given)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename} cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    print(said)
    return 0


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    whole = argparse.ArgumentParser(
        prog="python -m lightning_gan_vocoder", description="Tools of vocoders."
    )
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    scored = commands.add_parser("scores", help="distances of mel spectrograms, on WAV files")
    scored.add_argument("source", help="a checkpoint, the folder of a run, or an exported folder")
    scored.add_argument("waves", help="a folder of WAV files that it was not trained with")
    scored.add_argument(
        "--iterations", type=int, nargs="*", default=[32, 60], help="of Griffin-Lim; 32 60"
    )
    scored.set_defaults(run=_scores)
    weights = commands.add_parser("weights", help="write weights as HiFi-GAN's code has them")
    weights.add_argument("source", help="a checkpoint, the folder of a run, or an exported folder")
    weights.add_argument("out", help="a new file, .pth or .safetensors")
    weights.set_defaults(run=_weights)
    tones = commands.add_parser("tones", help="write tones as WAV files")
    tones.add_argument("out", help="a folder, which must be new or empty")
    tones.add_argument("--tones", type=int, default=100, help="how many; 100")
    tones.add_argument("--first", type=int, default=0, help="number of the first; 0")
    tones.add_argument("--seconds", type=float, default=1.0, help="length of each; 1")
    tones.add_argument("--sample_rate", type=int, default=22050, help="samples a second; 22050")
    tones.set_defaults(run=_tones)
    return whole


def _scores(given: argparse.Namespace) -> str:
    found = scores(vocoder_at(given.source), given.waves, tuple(given.iterations))
    heads = ("mel_distance", "input_distance", "hum, dB", "seconds/second")
    lines = [" " * 16 + "".join(f"{head:>16}" for head in heads)]
    for name, each in found.items():
        numbers = (each.mel_distance, each.input_distance, each.hum, each.seconds)
        lines.append(f"{name:<16}" + "".join(f"{number:>16.3f}" for number in numbers))
    return "\n".join(lines)


def _weights(given: argparse.Namespace) -> str:
    write_weights(given.source, given.out)
    return f"weights: {given.out}"


def _tones(given: argparse.Namespace) -> str:
    folder = Path(given.out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is not empty; choose another folder")
    length = given.seconds * given.sample_rate
    samples = round(length) if math.isfinite(length) else 0
    if min(given.tones, samples) < 1 or given.first < 0:
        raise InputError(
            "tones, seconds and sample_rate must be above 0 and first at least 0, got "
            f"{given.tones}, {given.seconds}, {given.sample_rate} and {given.first}"
        )
    for number in range(given.first, given.first + given.tones):
        wave = tone(number, samples, given.sample_rate)
        write_wave(folder / f"{number:05d}.wav", wave, given.sample_rate)
    return f"tones: {given.tones} in {folder}"


if __name__ == "__main__":
    sys.exit(main())
