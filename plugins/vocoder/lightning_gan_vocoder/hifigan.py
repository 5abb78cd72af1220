"""The generator of HiFi-GAN: transposed convolutions, each followed by several receptive fields."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import weight_norm

from lightning_gan import InputError
from lightning_gan.components.following import weights_follow
from lightning_gan_vocoder.base import Vocoder
from lightning_gan_vocoder.weights import load_weights

SLOPE = 0.1
LAST_SLOPE = 0.01  # before the last convolution, as in the published code
EDGE = 7  # kernel of the first and of the last convolution

Norm = Literal["weight", "none"]


class HiFiGANGenerator(Vocoder):
    """A wave of a mel spectrogram (HiFi-GAN, Kong et al. 2020, section 2.2 and appendix A.1).

    Its condition is the log-mel spectrogram. Each of the ``upsample_rates`` is a transposed
    convolution that makes the sequence as many times longer and halves the channels; the mean of
    several residual blocks with other kernels and dilations follows. Their product is the
    ``hop_length``. The defaults are V1 of the paper, 13.92 million weights without those of the
    normalization; V2 is ``base_channels=128``; V3 is ``base_channels=256``,
    ``upsample_rates=[8, 8, 4]``, ``upsample_kernels=[16, 16, 8]``, ``block_kernels=[3, 5, 7]``,
    ``block_dilations=[[1, 2], [2, 6], [3, 12]]`` and ``paired=false``.

    Modules have the names of the published code (``conv_pre``, ``ups.0``, ``resblocks.0.convs1.0``,
    ..., ``conv_post``), and its files load.

    Args:
        sample_shape: (1, T); the generator's own ``sample_shape`` is (1, None), for any length.
        mel: Settings of the mel spectrogram, some of the names of
            :class:`~lightning_gan_vocoder.MelSettings`; the command takes them from the data, and
            checkpoints keep them. None: those of the published code.
        base_channels: Channels before the first upsampling.
        upsample_rates: How many times longer each makes the sequence.
        upsample_kernels: Kernels of these, each at least its rate, by an even number.
        block_kernels: Kernels of the residual blocks after each upsampling, odd numbers.
        block_dilations: Dilations of the convolutions in each residual block, one list a kernel.
        paired: Whether a convolution without dilation follows each one with it.
        norm: "weight" for weight normalization (Salimans & Kingma 2016), or "none".
        weights_file: Weights to begin with: a ``.pth`` or ``.safetensors`` of this layout, alone or
            as ``generator``, with or without weight normalization. None: random ones.

    Raises:
        InputError: A number is out of range, the rates do not give the hop, or the file does not
            fit.
    """

    def __init__(
        self,
        sample_shape: Sequence[int | None] = (1, None),
        mel: Mapping[str, Any] | None = None,
        base_channels: int = 512,
        upsample_rates: Sequence[int] = (8, 8, 2, 2),
        upsample_kernels: Sequence[int] = (16, 16, 4, 4),
        block_kernels: Sequence[int] = (3, 7, 11),
        block_dilations: Sequence[Sequence[int]] = ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
        paired: bool = True,
        norm: Norm = "weight",
        weights_file: str | None = None,
    ) -> None:
        super().__init__(sample_shape, mel)
        rates, kernels = list(upsample_rates), list(upsample_kernels)
        _check(base_channels, rates, kernels, block_kernels, block_dilations, norm)
        if math.prod(rates) != self.mel.hop_length:
            raise InputError(
                f"the product of upsample_rates must be hop_length={self.mel.hop_length}, got "
                f"{rates}, {math.prod(rates)}: change one of the two"
            )
        self._built: dict[str, Any] = {
            "mel": self.mel.as_dict(),
            "base_channels": base_channels,
            "upsample_rates": rates,
            "upsample_kernels": kernels,
            "block_kernels": list(block_kernels),
            "block_dilations": [list(each) for each in block_dilations],
            "paired": paired,
        }
        self._rates, self._kernels = rates, kernels
        self._block_reach = max(
            sum((dilation + paired) * (kernel - 1) // 2 for dilation in dilations)
            for kernel, dilations in zip(block_kernels, block_dilations, strict=True)
        )
        widths = [base_channels // 2**stage for stage in range(len(rates) + 1)]
        normalize: Any = weight_norm if norm == "weight" else lambda layer: layer
        self.conv_pre = normalize(nn.Conv1d(self.mel.n_mels, widths[0], EDGE, padding=EDGE // 2))
        self.ups = nn.ModuleList(
            normalize(nn.ConvTranspose1d(width, half, kernel, rate, (kernel - rate) // 2))
            for (width, half), rate, kernel in zip(pairwise(widths), rates, kernels, strict=True)
        )
        self.resblocks = nn.ModuleList(
            ResidualBlock(width, kernel, dilations, paired, normalize)
            for width in widths[1:]
            for kernel, dilations in zip(block_kernels, block_dilations, strict=True)
        )
        self.conv_post = normalize(nn.Conv1d(widths[-1], 1, EDGE, padding=EDGE // 2))
        if weights_file is not None and not weights_follow():
            load_weights(self, weights_file)

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Make waves.

        Args:
            z: Latents, shape (N, 0).
            y: Log-mel spectrograms, shape (N, M, frames).

        Returns:
            Waves in [-1, 1], shape (N, 1, frames * hop).

        Raises:
            InputError: y is no batch of mel spectrograms with M filters.
        """
        x = self.conv_pre(self.spectrogram(y))
        blocks = len(self.resblocks) // len(self.ups)
        for stage, up in enumerate(self.ups):
            x = up(leaky_relu(x, SLOPE))
            first, *others = self.resblocks[stage * blocks : (stage + 1) * blocks]
            total = first(x)
            for block in others:
                total = total + block(x)
            x = total / blocks
        made: Tensor = self.conv_post(leaky_relu(x, LAST_SLOPE))
        return made.tanh()

    @property
    def context(self) -> int:
        """Frames to each side of one that its samples depend on, at most."""
        reach = EDGE // 2  # in samples of the stage, from the last to the first
        for rate, kernel in zip(self._rates[::-1], self._kernels[::-1], strict=True):
            reach = -(-(reach + self._block_reach + kernel) // rate)
        return reach + EDGE // 2

    def folded(self) -> HiFiGANGenerator:
        """Return a copy that computes the same, with plain weights in place of normalized ones.

        It is in eval mode and without gradient, runs faster, and has the names of the published
        code after its ``remove_weight_norm``.
        """
        copy = HiFiGANGenerator(**self._built, norm="none")
        ours, theirs = dict(self.named_modules()), dict(copy.named_modules())
        with torch.no_grad():
            for name, layer in theirs.items():
                if isinstance(layer, (nn.Conv1d, nn.ConvTranspose1d)):
                    layer.weight.copy_(ours[name].weight)
                    assert layer.bias is not None
                    layer.bias.copy_(ours[name].bias)
        return copy.to(next(self.parameters()).device).eval().requires_grad_(False)


class ResidualBlock(nn.Module):
    """Dilated convolutions with residuals around them (Kong et al. 2020, table 5 and figure 1).

    Args:
        width: Channels that go in and out.
        kernel: Kernel of all convolutions, odd.
        dilations: One for each.
        paired: Whether a convolution without dilation follows each of them, inside the residual.
        normalize: Wraps a convolution.
    """

    def __init__(
        self, width: int, kernel: int, dilations: Sequence[int], paired: bool, normalize: Any
    ) -> None:
        super().__init__()

        def convolution(dilation: int) -> Any:
            padding = dilation * (kernel - 1) // 2
            return normalize(nn.Conv1d(width, width, kernel, 1, padding, dilation))

        dilated = nn.ModuleList(convolution(dilation) for dilation in dilations)
        if paired:
            self.convs1 = dilated
            self.convs2 = nn.ModuleList(convolution(1) for _ in dilations)
        else:
            self.convs = dilated
        self.paired = paired

    def forward(self, x: Tensor) -> Tensor:
        """Return sequences of the same shape, (N, width, T)."""
        if not self.paired:
            for convolution in self.convs:
                x = x + convolution(leaky_relu(x, SLOPE))
            return x
        for first, second in zip(self.convs1, self.convs2, strict=True):
            x = x + second(leaky_relu(first(leaky_relu(x, SLOPE)), SLOPE))
        return x


def _check(
    base_channels: int,
    rates: Sequence[int],
    kernels: Sequence[int],
    block_kernels: Sequence[int],
    block_dilations: Sequence[Sequence[int]],
    norm: str,
) -> None:
    """Refuse what no network can be made of.

    Raises:
        InputError: A number is out of range, or lists differ in length.
    """
    if norm not in ("weight", "none"):
        raise InputError(f"norm must be 'weight' or 'none', got {norm!r}")
    lists = {
        "upsample_rates": rates,
        "upsample_kernels": kernels,
        "block_kernels": block_kernels,
        **{f"block_dilations[{i}]": each for i, each in enumerate(block_dilations)},
    }
    for name, numbers in lists.items():
        if not numbers or any(type(n) is not int or n < 1 for n in numbers):
            raise InputError(f"{name} must be whole numbers from 1, got {list(numbers)}")
    if len(kernels) != len(rates) or any(
        k < r or (k - r) % 2 for k, r in zip(kernels, rates, strict=True)
    ):
        raise InputError(
            "upsample_kernels must be one for each of upsample_rates, larger by an even number or "
            f"0, got {list(kernels)} for {list(rates)}"
        )
    if len(block_dilations) != len(block_kernels) or any(k % 2 == 0 for k in block_kernels):
        raise InputError(
            "block_kernels must be odd, with a list of block_dilations each, got "
            f"{list(block_kernels)} with {len(block_dilations)} lists"
        )
    least = 2 ** len(rates)
    if type(base_channels) is not int or base_channels < least or base_channels % least:
        raise InputError(
            f"base_channels must be a multiple of {least}, halved {len(rates)} times, got "
            f"{base_channels!r}"
        )
