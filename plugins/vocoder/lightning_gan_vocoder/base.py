"""What generators of waves share: settings of their input, and files in place of tensors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_gan import Generator, InputError, load_generator
from lightning_gan_vocoder.mel import MelSettings, MelSpectrogram, filled
from lightning_gan_vocoder.vocoding import read_mel, vocode
from lightning_gan_vocoder.wave_files import read_wave, write_wave


class Vocoder(Generator):
    """A generator whose condition is a log-mel spectrogram, and whose samples are waves.

    ``lightning-gan translate`` puts WAV files and NumPy files of spectrograms through it, and
    ``lightning-gan export`` writes it for any number of frames. A subclass defines
    :meth:`forward` and :attr:`context`.

    Args:
        sample_shape: (1, T); its own ``sample_shape`` is (1, None), for any length.
        mel: Settings of the spectrogram, some of the names of
            :class:`~lightning_gan_vocoder.MelSettings`. None: those of HiFi-GAN's published code.

    Attributes:
        mel: The settings.

    Raises:
        InputError: The shape is none of waves of one channel, or a setting is out of range.
    """

    latent_dim = 0
    num_classes = None
    sample_range = "symmetric"
    input_endings = (".wav", ".npy")
    output_ending = ".wav"

    def __init__(
        self, sample_shape: Sequence[int | None], mel: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        if len(sample_shape) != 2 or sample_shape[0] != 1:
            raise InputError(f"sample_shape must be (1, T), got {tuple(sample_shape)}")
        self.sample_shape = (1, None)
        self.mel = MelSettings.of(mel)

    @property
    @abstractmethod
    def context(self) -> int:
        """Frames to each side of one that its samples depend on, at most."""

    def spectrogram(self, y: Any) -> Tensor:
        """Return a condition that is a batch of spectrograms, shape (N, M, frames).

        Raises:
            InputError: It is something else, or has another number of filters.
        """
        if not isinstance(y, Tensor) or y.dim() != 3 or y.shape[1] != self.mel.n_mels:
            got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise InputError(
                f"{type(self).__name__} makes waves of mel spectrograms, y of shape (N, "
                f"{self.mel.n_mels}, frames), got {got}: let the data yield (wave, mel)"
            )
        return y

    def example_input(self, n: int) -> Tensor:
        """Return n log-mel spectrograms of noise, always the same, shape (n, M, 32)."""
        source = torch.Generator().manual_seed(0)
        return torch.rand(n, self.mel.n_mels, 32, generator=source) * 8 - 8

    def translate_file(self, source: Path, out: Path) -> None:
        """Make a WAV file of another one's mel spectrogram, or of one in a NumPy file.

        A wave comes back as long as it was.

        Args:
            source: A WAV file, or a ``.npy`` file of a log-mel spectrogram, shape (M, frames), as
                :class:`~lightning_gan_vocoder.MelSpectrogram` makes it.
            out: The WAV file, of 16 bits.

        Raises:
            InputError: The file cannot be read, or has another rate or number of filters, or other
                numbers than log-mel spectrograms.
        """
        device = next(self.parameters()).device
        if source.suffix.lower() == ".npy":
            mels, length = read_mel(source, self.mel), None
        else:
            wave = read_wave(source, self.mel.sample_rate)
            mels = MelSpectrogram(self.mel)(filled(wave[None, None], self.mel))
            length = len(wave)
        made = vocode(self, mels.to(device))
        write_wave(out, made[0, 0, :length], self.mel.sample_rate)


def vocoder_at(source: str | Path) -> Vocoder:
    """Return the generator of a checkpoint, the folder of a run, or an exported folder.

    Raises:
        InputError: There is none, or it is no vocoder.
    """
    network = load_generator(source).generator
    if not isinstance(network, Vocoder):
        raise InputError(f"{source} holds a {type(network).__name__}, which is no vocoder")
    return network
