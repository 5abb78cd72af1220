"""Spectrograms of held-out waves beside those of what was made of them, and sounds to listen to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from lightning_gan import InputError
from lightning_gan.callbacks import SampleGrid
from lightning_gan_vocoder.data import WaveData
from lightning_gan_vocoder.griffin_lim import griffin_lim
from lightning_gan_vocoder.mel import MelSettings, MelSpectrogram
from lightning_gan_vocoder.wave_files import write_wave

NAMES = ("generated", "real", "Griffin-Lim")
HEAD, SIZE = 28, 16  # pixels: height of the names' line, of their letters
HEIGHT = 256  # pixels of a spectrogram
GAP = 4
RANGE = 80.0  # decibels from black to white


class Spectrograms(SampleGrid):
    """Draw spectrograms of held-out waves, generated, real and by Griffin-Lim, and write the waves.

    A row is a wave; time goes to the right, frequency up to half the sample rate, and black is the
    loudest of the real wave, white 80 dB less. Pictures go to ``samples/spectrograms-<step>.png``
    in the run's folder, sounds to ``samples/<number>-generated-<step>.wav``, ``<number>-real.wav``
    and ``<number>-griffin-lim.wav``.

    Args:
        every_n_steps: Batches between pictures; None: only the first and the last.
        rows: Waves.
        seconds: At most so much of each.
        iterations: Of Griffin-Lim.
        seed: Of the latents, for generators that have some.
        every_n_rounds: Rounds between pictures, in place of steps.
        every_n_epochs: Epochs between pictures, in place of steps.

    Raises:
        InputError: A number is below 1; in training, the generator has no ``mel``, or the data are
            no :class:`~lightning_gan_vocoder.WaveFolder` or its like.
    """

    def __init__(
        self,
        every_n_steps: int | None = 500,
        rows: int = 3,
        seconds: float = 3.0,
        iterations: int = 32,
        seed: int = 0,
        every_n_rounds: int | None = None,
        every_n_epochs: int | None = None,
    ) -> None:
        super().__init__(every_n_steps, rows, len(NAMES), seed, every_n_rounds, every_n_epochs)
        if seconds <= 0 or iterations < 1:
            raise InputError(
                f"Spectrograms: seconds must be above 0 and iterations at least 1, got {seconds} "
                f"and {iterations}"
            )
        self.name = "spectrograms"
        self.seconds, self.iterations = seconds, iterations
        self._shown: list[tuple[Tensor, Tensor]] = []

    def start(self, trainer: pl.Trainer, module: Any) -> None:
        """Make Griffin-Lim's waves, and draw that from which training starts.

        Raises:
            InputError: The generator has no ``mel``, or the data have no waves.
        """
        settings, data = getattr(module.generator, "mel", None), trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(settings, MelSettings) or not isinstance(data, WaveData):
            raise InputError(
                "Spectrograms expects a generator with mel, such as hifigan, and data such as "
                f"WaveFolder, got {type(module.generator).__name__} and {type(data).__name__}"
            )
        self._transform = MelSpectrogram(settings)
        self._shown = []
        for wave in data.held_out(self.rows, self.seconds):
            plain = griffin_lim(self._transform(wave[None, None]), self._transform, self.iterations)
            self._shown.append((wave, plain[0, 0]))
        super().start(trainer, module)

    def pictures(self, trainer: pl.Trainer, module: Any) -> Iterator[tuple[int | None, Tensor]]:
        """Make the picture, and write the waves."""
        rate = self._transform.settings.sample_rate
        folder = Path(trainer.log_dir or trainer.default_root_dir) / "samples"
        writes = trainer.is_global_zero and not getattr(trainer, "fast_dev_run", False)
        rows = []
        for number, (real, plain) in enumerate(self._shown):
            mels = self._transform(real[None, None]).to(module.device)
            with torch.no_grad():
                made = module.sample(1, labels=mels, seed=self.seed)[0, 0].cpu()
            rows.append([made, real, plain])
            if writes:
                name = f"{number}-generated-{trainer.global_step:08d}.wav"
                write_wave(folder / name, made, rate)
                write_wave(folder / f"{number}-real.wav", real, rate)
                write_wave(folder / f"{number}-griffin-lim.wav", plain, rate)
        yield None, spectrograms(rows, self._transform.settings)


def spectrograms(rows: Sequence[Sequence[Tensor]], settings: MelSettings) -> Tensor:
    """Return a picture of waves, with a name above each column, (3, H, W) in [0, 1].

    Args:
        rows: Generated, real, Griffin-Lim's; shape (T,) each, of one length in a row.
        settings: Of the transform.
    """
    lines = []
    for row in rows:
        loudness = [_decibels(wave, settings) for wave in row]
        top = loudness[1].max()
        shown = [((top - x) / RANGE).clamp(0, 1) for x in loudness]
        cells = [interpolate(x[None, None], (HEIGHT, x.shape[1]), mode="area")[0, 0] for x in shown]
        lines.append(cells)
    width = max(cell.shape[1] for line in lines for cell in line)
    count = len(NAMES)
    picture = torch.ones(
        HEAD + len(lines) * (HEIGHT + GAP), count * (width + GAP) - GAP, dtype=torch.float32
    )
    head = Image.new("L", (picture.shape[1], HEAD), "white")
    font, draw = ImageFont.load_default(SIZE), ImageDraw.Draw(head)
    for column, name in enumerate(NAMES):
        place = (column * (width + GAP) + width / 2, HEAD / 2)
        draw.text(place, name, fill="black", font=font, anchor="mm")
        for line, cells in enumerate(lines):
            top_row, left = HEAD + line * (HEIGHT + GAP), column * (width + GAP)
            cell = cells[column]
            picture[top_row : top_row + HEIGHT, left : left + cell.shape[1]] = cell
    picture[:HEAD] = torch.from_numpy(np.array(head)).float() / 255
    return picture.expand(3, -1, -1)


def _decibels(wave: Tensor, settings: MelSettings) -> Tensor:
    """Return the spectrogram of a wave in decibels, the highest frequency in the first row."""
    window = torch.hann_window(settings.win_length)
    spectrum = torch.stft(
        wave, settings.n_fft, settings.hop_length, settings.win_length, window, return_complex=True
    )
    return 20 * spectrum.abs().clamp(min=1e-6).log10().flip(0)
