"""The generator of Vocos: spectra at the rate of frames, and the inverse Fourier transform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from lightning_gan import InputError
from lightning_gan_vocoder.base import Vocoder
from lightning_gan_vocoder.mel import overlapped

KERNEL = 7  # of all convolutions, in frames
LOUDEST = 100.0  # magnitude at which spectra are cut, as in the published code
STD = 0.02  # of the first weights


class VocosGenerator(Vocoder):
    """A wave of a mel spectrogram by its spectrum (Vocos, Siuzdak 2023, sections 3.1 and 3.2).

    ConvNeXt blocks turn each frame of the log-mel spectrogram into magnitudes and phases of a
    short-time Fourier transform, and its inverse is the wave. Nothing runs at the rate of samples:
    it is several times faster than ``hifigan``. The defaults are the paper's, 13.5 million weights
    with its 100 mels. Unlike the published code, convolutions repeat the first and the last frame
    beyond the ends, where that has zeros.

    Args:
        sample_shape: (1, T); the generator's own ``sample_shape`` is (1, None), for any length.
        mel: Settings of the mel spectrogram, some of the names of
            :class:`~lightning_gan_vocoder.MelSettings`; the command takes them from the data, and
            checkpoints keep them. None: those of HiFi-GAN's published code.
        channels: Channels of a frame.
        blocks: Number of blocks.
        expansion: How many times more channels there are inside a block.

    Raises:
        InputError: A number is out of range.
    """

    window: Tensor

    def __init__(
        self,
        sample_shape: Sequence[int | None] = (1, None),
        mel: Mapping[str, Any] | None = None,
        channels: int = 512,
        blocks: int = 8,
        expansion: int = 3,
    ) -> None:
        super().__init__(sample_shape, mel)
        for name, number in (("channels", channels), ("blocks", blocks), ("expansion", expansion)):
            if type(number) is not int or number < 1:
                raise InputError(f"{name} must be a whole number from 1, got {number!r}")
        self.embed = _convolution(self.mel.n_mels, channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.blocks = nn.ModuleList(Block(channels, expansion, blocks) for _ in range(blocks))
        self.final_norm = nn.LayerNorm(channels, eps=1e-6)
        self.out = nn.Linear(channels, 2 * (self.mel.n_fft // 2 + 1))
        for layer in self.modules():
            if isinstance(layer, (nn.Conv1d, nn.Linear)):
                nn.init.trunc_normal_(layer.weight, std=STD)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
        self.register_buffer("window", self.mel.window(), persistent=False)

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Make waves.

        Args:
            z: Latents, shape (N, 0).
            y: Log-mel spectrograms, shape (N, M, frames).

        Returns:
            Waves about in [-1, 1], which nothing enforces, shape (N, 1, frames * hop).

        Raises:
            InputError: y is no batch of mel spectrograms with M filters.
        """
        x = self.norm(self.embed(self.spectrogram(y)).transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        made: Tensor = self.out(self.final_norm(x)).transpose(1, 2)
        # As float32 or wider: there is no complex bfloat16.
        logarithms, phases = made.float().chunk(2, dim=1)
        return self._wave(logarithms.exp().clamp(max=LOUDEST), phases)[:, None]

    @property
    def context(self) -> int:
        """Frames to each side of one that its samples depend on, at most."""
        frames = -(-self.mel.n_fft // self.mel.hop_length)
        return (KERNEL // 2) * (1 + len(self.blocks)) + frames

    def _wave(self, magnitudes: Tensor, phases: Tensor) -> Tensor:
        """Return waves (N, T) of magnitudes and phases, shape (N, bins, frames) each."""
        spectrum = torch.complex(magnitudes * phases.cos(), magnitudes * phases.sin())
        return overlapped(spectrum, self.window, self.mel)


class Block(nn.Module):
    """A ConvNeXt block of one dimension (Liu et al. 2022), as Vocos has it.

    Args:
        channels: Channels that go in and out.
        expansion: How many times more there are inside.
        blocks: How many blocks there are: the residual begins with a factor of 1 / blocks.
    """

    def __init__(self, channels: int, expansion: int, blocks: int) -> None:
        super().__init__()
        self.depthwise = _convolution(channels, channels, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.wider = nn.Linear(channels, expansion * channels)
        self.narrower = nn.Linear(expansion * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 1 / blocks))

    def forward(self, x: Tensor) -> Tensor:
        """Return frames of the same shape, (N, frames, channels)."""
        mixed = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        added: Tensor = self.narrower(gelu(self.wider(self.norm(mixed))))
        return x + self.scale * added


def _convolution(inputs: int, outputs: int, groups: int = 1) -> nn.Conv1d:
    """Return one that takes frames beyond the ends to be like the last ones.

    Zeros there, as the published code has them, tell a network where a segment of training begins
    and ends, and it learns phases from that; longer waves have no such ends.
    """
    return nn.Conv1d(
        inputs, outputs, KERNEL, padding=KERNEL // 2, groups=groups, padding_mode="replicate"
    )
