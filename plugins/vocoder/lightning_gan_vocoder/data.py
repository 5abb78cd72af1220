"""Waves with their mel spectrograms: what data modules of sound share, and a folder of files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor
from torch.nn.functional import pad

from lightning_gan import InputError
from lightning_gan.data.loader import EpochPermutation
from lightning_gan.data.source_loader import SourceLoader
from lightning_gan.data.window import Window
from lightning_gan_vocoder.mel import MelSettings, MelSpectrogram, filled
from lightning_gan_vocoder.wave_files import read_wave, wave_files, wave_length

VALIDATED = 4  # segments in a row that validation looks at, where waves are as long
AS_READ = Window(-1.0, 1.0)  # waves lie in [-1, 1] already
Pair = tuple[Tensor, Tensor]


class WaveData(LightningDataModule):
    """Waves and their mel spectrograms, as ``(wave, mel)``: what the data modules here share.

    In every epoch training sees one segment of each wave, from another place; validation the
    middle of each wave that is held out, as long as four segments or the shortest of these waves.
    Where a segment lies is a function of the seed, the epoch and the wave alone, so that a resumed
    run goes on with the segments that it would have seen. Waves shorter than a segment end in
    silence. A mel spectrogram is that of the segment, mirrored at both ends.

    A subclass says how many waves there are, how long they are, and reads them.

    Args:
        sample_rate: Samples a second.
        n_fft: Length of the Fourier transform, in samples.
        hop_length: Samples between two frames.
        win_length: Length of the window, in samples.
        n_mels: Number of mel filters, M.
        f_min: Where the first filter begins, in Hz.
        f_max: Where the last one ends, in Hz; None: at half the sample rate.
        segment_length: Samples of a segment, a multiple of ``hop_length``, ``n_fft`` at least.
        holdout: Share of waves that are held out, above 0 and below 1.
        batch_size: Segments in a batch, on each process.
        num_workers: Processes that read ahead, beside each training process.
        seed: Of order and places, at least 0.

    Attributes:
        sample_shape: (1, segment_length), of training.
        num_classes: None.
        sample_range: "symmetric": waves lie in [-1, 1].
        network_arguments: ``mel``, which tells the generator how its input is made.

    Raises:
        InputError: A number is out of range, or there are too few waves.
    """

    num_classes = None
    sample_range = "symmetric"

    def __init__(
        self,
        sample_rate: int = 22050,
        n_fft: int = 1024,
        hop_length: int = 256,
        win_length: int = 1024,
        n_mels: int = 80,
        f_min: float = 0.0,
        f_max: float | None = 8000.0,
        segment_length: int = 8192,
        holdout: float = 0.05,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.mel = MelSettings(sample_rate, n_fft, hop_length, win_length, n_mels, f_min, f_max)
        if type(segment_length) is not int or segment_length < n_fft or segment_length % hop_length:
            raise InputError(
                f"segment_length must be a multiple of hop_length={hop_length}, from "
                f"n_fft={n_fft} on, got {segment_length!r}"
            )
        if not 0 < holdout < 1:
            raise InputError(f"holdout must lie between 0 and 1, got {holdout!r}")
        for name, number, least in (
            ("batch_size", batch_size, 1),
            ("num_workers", num_workers, 0),
            ("seed", seed, 0),
        ):
            if type(number) is not int or number < least:
                raise InputError(f"{name} must be a whole number from {least}, got {number!r}")
        self.segment_length, self.holdout, self.batch_size = segment_length, holdout, batch_size
        self.num_workers, self.seed = num_workers, seed
        self._transform = MelSpectrogram(self.mel)
        self._lengths: list[int] = []
        self._split: dict[str, list[int]] = {}
        self._train_loader: WaveLoader | None = None
        self._resumed: dict[str, Any] = {}

    @abstractmethod
    def lengths(self) -> list[int]:
        """Return the number of samples of each wave; called once, in ``setup``."""

    @abstractmethod
    def read(self, index: int, start: int = 0, length: int | None = None) -> Tensor:
        """Return samples of a wave, float32 in [-1, 1], shape (T,).

        Args:
            index: Which wave.
            start: First sample.
            length: Number of samples, fewer where the wave ends before; None: all.
        """

    def __str__(self) -> str:
        """Return the name and the size of batches; Lightning would make every loader for it."""
        return f"{type(self).__name__}, batches of {self.batch_size} x {self.segment_length}"

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of a segment of training."""
        return (1, self.segment_length)

    @property
    def network_arguments(self) -> dict[str, Any]:
        """What networks have to know of the data besides."""
        return {"mel": self.mel.as_dict()}

    def setup(self, stage: str | None = None) -> None:
        """Look at the lengths of all waves, and hold some out, once.

        Raises:
            InputError: There are too few waves to hold some out, or for a batch, or the generator
                takes other mel spectrograms than these.
        """
        module = getattr(self.trainer, "lightning_module", None)
        theirs = getattr(getattr(module, "generator", None), "mel", None)
        if isinstance(theirs, MelSettings):
            self._check(theirs, "the generator")
        if not self._split:
            self._lengths = self.lengths()
            n = len(self._lengths)
            held = max(1, round(self.holdout * n))
            if n - held < 1:
                raise InputError(
                    f"waves to learn from are missing: of {n}, holdout={self.holdout} holds {held} "
                    "out; add some, or lower holdout"
                )
            order = np.random.default_rng(0).permutation(n).tolist()
            self._split = {"test": sorted(order[:held]), "train": sorted(order[held:])}
            short = [length for length in self._lengths if length < self.segment_length]
            if short:
                rank_zero_info(
                    f"{type(self).__name__}: {len(short)} of {n} waves are shorter than "
                    f"segment_length={self.segment_length}, and end in silence"
                )
        if stage in (None, "fit"):
            rank, world_size = self._process()
            n = len(self._split["train"])
            share = len(EpochPermutation(n, rank=rank, world_size=world_size))
            if share < self.batch_size:
                raise InputError(
                    f"{n} waves to train with are too few for a batch of {self.batch_size} on each "
                    f"of {world_size} processes: set batch_size to {share} or less"
                )

    def held_out(self, n: int, seconds: float | None = None) -> list[Tensor]:
        """Return the first n waves that are held out, of whole frames, shape (T,) each.

        Args:
            n: How many, fewer where there are fewer.
            seconds: At most so much of each, from its beginning; None: all.
        """
        samples = None if seconds is None else int(seconds * self.mel.sample_rate)
        found = [self.read(index, 0, samples) for index in self._split["test"][:n]]
        return [filled(x[None, None], self.mel)[0, 0] for x in found]

    def train_dataloader(self) -> WaveLoader:
        """Return the loader of shuffled segments, from other places in every epoch."""
        shuffle = not getattr(self.trainer, "overfit_batches", 0)
        self._train_loader = self._loader("train", shuffle)
        if self._resumed:
            self._train_loader.load_state_dict(self._resumed)
            self._resumed = {}
        return self._train_loader

    def val_dataloader(self) -> WaveLoader:
        """Return the loader of the middles of all held-out waves, in order."""
        return self._loader("test", shuffle=False)

    def test_dataloader(self) -> WaveLoader:
        """Return the loader of the middles of all held-out waves, in order."""
        return self._loader("test", shuffle=False)

    def predict_dataloader(self) -> WaveLoader:
        """Return the loader of the middles of all held-out waves, in order."""
        return self._loader("test", shuffle=False)

    def state_dict(self) -> dict[str, Any]:
        """Return the mel settings, and the place in the training batches."""
        place = {} if self._train_loader is None else self._train_loader.state_dict()
        return {"mel": self.mel.as_dict(), "place": place}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the next training loader go on at a saved place.

        Raises:
            InputError: The checkpoint's networks were trained with other mel spectrograms.
        """
        self._check(MelSettings.of(state_dict["mel"]), "the checkpoint")
        if self.trainer is None or self.trainer.state.fn == "fit":
            self._resumed = state_dict["place"]

    def _loader(self, split: str, shuffle: bool) -> WaveLoader:
        rank, world_size = self._process()
        training = split == "train"
        chosen = self._split[split]
        lengths = [self._lengths[index] for index in chosen]
        samples = self.segment_length
        if not training:  # whole frames of the shortest wave
            frames = min(min(lengths), VALIDATED * samples) // self.mel.hop_length
            samples = max(samples, frames * self.mel.hop_length)
        kind = RandomSegments if training else Segments
        segments = kind(self, chosen, lengths, samples)
        loader = SourceLoader(
            segments, None, self.batch_size, num_workers=self.num_workers, shuffle=shuffle,
            drop_last=training, seed=self.seed, rank=rank, world_size=world_size, window=AS_READ,
        )  # fmt: skip
        return WaveLoader(loader, self._transform)

    def _check(self, theirs: MelSettings, whose: str) -> None:
        """Refuse other mel settings than these: shapes alone would let networks go on with both.

        Raises:
            InputError: One differs.
        """
        ours, others = self.mel.as_dict(), theirs.as_dict()
        for name in (name for name in ours if ours[name] != others[name]):
            raise InputError(
                f"{whose} takes mel spectrograms with {name}={others[name]}, and those of "
                f"{type(self).__name__} have {name}={ours[name]}: set both alike"
            )

    def _process(self) -> tuple[int, int]:
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size


class Segments:
    """The middles of waves, read one at a time.

    Args:
        data: Where the waves are.
        chosen: Which of them.
        lengths: The number of samples of each of these.
        samples: The number of samples of a segment.
    """

    def __init__(
        self, data: WaveData, chosen: Sequence[int], lengths: Sequence[int], samples: int
    ) -> None:
        self.chosen, self.samples, self.seed = chosen, samples, data.seed
        self.room = [max(0, length - samples) for length in lengths]
        self._read = data.read

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Tensor:
        return self._from(index, self.room[index] // 2)

    def _from(self, index: int, start: int) -> Tensor:
        """Return a segment that begins at a sample, with silence where the wave has ended."""
        found = self._read(self.chosen[index], start, self.samples)
        return pad(found, (0, self.samples - len(found)))[None]


class RandomSegments(Segments):
    """Segments of waves, in every epoch from another place.

    The place is a function of the seed, the epoch and the wave.
    """

    def in_epoch(self, index: int, epoch: int) -> Tensor:
        """Return the segment of a wave as it is in an epoch, from 0."""
        draws = np.random.default_rng((self.seed, epoch, index))
        return self._from(index, int(draws.integers(0, self.room[index] + 1)))


class WaveLoader:
    """Another loader's segments with their mel spectrograms; order and place are the other's.

    Args:
        loader: A loader of segments (N, 1, T).
        transform: Makes the mel spectrograms.
    """

    batch_sampler = None  # Lightning reads it of every loader that has a sampler

    def __init__(self, loader: SourceLoader, transform: MelSpectrogram) -> None:
        self.loader, self.transform = loader, transform

    @property
    def sampler(self) -> Any:
        """The loader's, which Lightning tells the epoch."""
        return self.loader.sampler

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Pair]:
        for waves in self.loader:
            yield waves, self.transform(waves)

    def state_dict(self) -> dict[str, Any]:
        """Return the loader's place."""
        return self.loader.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the loader go on at a saved place."""
        self.loader.load_state_dict(state)


class WaveFolder(WaveData):
    """The WAV files of a folder and of the folders in it, with their mel spectrograms.

    Files of 8, 16, 24 or 32 bits and of floats are read, all of one rate; of several channels it is
    the mean. A part of a file is read whenever a batch needs it. Which files are held out is chosen
    by their sorted names, once and for all.

    Args:
        root: The folder of WAV files.
        sample_rate: Samples a second, of every file.
        n_fft: Length of the Fourier transform, in samples.
        hop_length: Samples between two frames.
        win_length: Length of the window, in samples.
        n_mels: Number of mel filters, M.
        f_min: Where the first filter begins, in Hz.
        f_max: Where the last one ends, in Hz; None: at half the sample rate.
        segment_length: Samples of a segment, a multiple of ``hop_length``, ``n_fft`` at least.
        holdout: Share of files that are held out, above 0 and below 1.
        batch_size: Segments in a batch, on each process.
        num_workers: Processes that read files ahead, beside each training process.
        seed: Of order and places, at least 0.

    Raises:
        InputError: There is no such folder or no WAV file in it, a file cannot be read, is empty or
            of another rate, a number is out of range, or there are too few files.
    """

    def __init__(
        self,
        root: str,
        sample_rate: int = 22050,
        n_fft: int = 1024,
        hop_length: int = 256,
        win_length: int = 1024,
        n_mels: int = 80,
        f_min: float = 0.0,
        f_max: float | None = 8000.0,
        segment_length: int = 8192,
        holdout: float = 0.05,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            sample_rate, n_fft, hop_length, win_length, n_mels, f_min, f_max, segment_length,
            holdout, batch_size, num_workers, seed,
        )  # fmt: skip
        self.files: list[Path] = wave_files("root", root)

    def lengths(self) -> list[int]:
        """Return the number of samples of each file."""
        return [wave_length(file, self.mel.sample_rate) for file in self.files]

    def read(self, index: int, start: int = 0, length: int | None = None) -> Tensor:
        """Return samples of a file, float32 in [-1, 1], shape (T,)."""
        return read_wave(self.files[index], self.mel.sample_rate, start, length)
