"""The FastGAN discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torch.nn.utils.parametrizations import spectral_norm

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.gated_upsampling import GatedUpsampling
from lightning_gan.layers.pyramid import pyramid
from lightning_gan.layers.skip_excitation import SkipLayerExcitation
from lightning_gan.types import Deferred, DiscriminatorOutput

SLOPE = 0.2
KERNEL = 4  # of the last convolutions, whose logits are of patches
LEAST = 7  # pixels of the last map of a large image
REACH = 3  # halvings from the map that excites to the one that is excited
LONGEST = 4  # doublings of a decoder


class FastGANDiscriminator(Discriminator):
    """A self-supervised encoder with two small decoders (FastGAN, Liu et al. 2021, section 3.2).

    Residual blocks halve the image down to a map of 7 to 13 pixels, whose 4x4 patches give the
    first head's logits; a map excites the one three halvings later. A plain stack of convolutions
    on the image of half the size gives the second head's. The decoders rebuild the image from the
    last map, and a quarter of it from the same quarter of the map before, drawn for each sample
    while training. What they made and what it should have been is ``extra["reconstructions"]``, a
    list of pairs, for the regularizer ``self_supervised_reconstruction``. The decoders run where
    that is read: on real samples, and not on fakes.

    The sizes, the skip-layer excitations and the second head are those of the authors' published
    code for 256 pixels, which makes the second view 128 pixels large at any size and has a third
    decoder for it. The paper knows no classes; here the first head's features, averaged, are
    projected on a vector of the class (Miyato & Koyama 2018).

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4.
        base_channels: At least 1. The last map has 8 times as many channels; each one before half
            of that.
        num_classes: K for a class-conditional discriminator, at least 1; None ignores labels.
        norm: "batch" is the authors' batch norm behind all but the first convolution; "none" suits
            gradient penalties, whose gradients it would mix between samples.

    Raises:
        InputError: The shape does not fit, a number is below 1, or ``norm`` is unknown.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        base_channels: int = 8,
        num_classes: int | None = None,
        norm: Literal["batch", "none"] = "batch",
    ) -> None:
        super().__init__()
        if norm not in ("batch", "none"):
            raise InputError(f"norm must be 'batch' or 'none', got {norm!r}")
        pyramid(sample_shape, base_channels)  # checks both
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes
        batch = norm == "batch"
        self.couples_samples = batch
        channels, height, width = self.sample_shape
        halvings = 0
        while height % 2 == width % 2 == 0 and (
            min(height, width) >= 2 * LEAST or (halvings == 0 and min(height, width) >= 2 * KERNEL)
        ):
            height, width, halvings = height // 2, width // 2, halvings + 1
        self.halvings = halvings
        widths = [max(1, 8 * base_channels >> n) for n in reversed(range(halvings + 1))]
        self.first = EncoderConv(channels, widths[0], 3, batch=False)
        self.blocks = nn.ModuleList(
            PooledHalving(wide, narrow, batch) for wide, narrow in pairwise(widths)
        )
        self.excitations = nn.ModuleList(
            SkipLayerExcitation(widths[n], widths[n + REACH]) for n in range(len(widths) - REACH)
        )
        deep = 2 * widths[-1]
        self.features = EncoderConv(widths[-1], deep, 1, batch)
        self.head = spectral_norm(nn.Conv2d(deep, 1, KERNEL, bias=False))
        if num_classes is not None:
            self.classes = ClassEmbedding(num_classes, deep, std=deep**-0.5)
        self.decode = decoder(widths[-1], base_channels, channels, min(LONGEST, halvings))
        if halvings > 0:
            views = [max(1, 4 * base_channels >> n) for n in reversed(range(max(1, halvings - 1)))]
            self.view = nn.Sequential(
                EncoderConv(channels, views[0], 3 if halvings == 1 else 4, batch=False),
                *(EncoderConv(wide, narrow, 4, batch) for wide, narrow in pairwise(views)),
                spectral_norm(nn.Conv2d(views[-1], 1, KERNEL, bias=False)),
            )
            shorter = min(LONGEST, halvings - 1)
            self.decode_quarter = decoder(widths[-2], base_channels, channels, shorter)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Judge images, and rebuild them.

        Args:
            x: Images, shape (N, C, H, W).
            y: Class labels, int64 of shape (N,), or anything where ``num_classes`` is None.

        Returns:
            Logits of two heads, (N, 1, h - 3, w - 3) each for a last map of h x w, or of one where
            the image is not halved; and ``extra["reconstructions"]``.
        """
        maps = [self.first(x)]
        for n, block in enumerate(self.blocks, start=1):
            h = block(maps[-1])
            if n >= REACH:
                h = self.excitations[n - REACH](maps[n - REACH], h)
            maps.append(h)
        features = self.features(maps[-1])
        logits = self.head(features)
        if self.num_classes is not None:
            projected = (features.mean((2, 3)) * self.classes(y)).sum(1)
            logits = logits + projected[:, None, None, None]
        quarter = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        if self.training and self.halvings:
            quarter = torch.randint(4, (len(x),), device=x.device)
        rebuilt = partial(self._rebuilt, maps[-2:], x, quarter)
        extra = Deferred(x.device.type, {"reconstructions": rebuilt})
        if not self.halvings:
            return DiscriminatorOutput(logits, extra=extra)
        return DiscriminatorOutput([logits, self.view(avg_pool2d(x, 2))], extra=extra)

    def _rebuilt(
        self, maps: list[Tensor], x: Tensor, quarter: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Return what the decoders make of the last two maps, and what that should have been."""
        pairs = [self._pair(self.decode(maps[-1]), x)]
        if self.halvings:
            made = self.decode_quarter(quarters(maps[-2], quarter))
            pairs.append(self._pair(made, quarters(x, quarter)))
        return pairs

    @staticmethod
    def _pair(made: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what was made, and the image made as small."""
        factor = x.shape[2] // made.shape[2]
        return made, (avg_pool2d(x, factor) if factor > 1 else x).detach()


class EncoderConv(nn.Sequential):
    """A convolution with spectral norm and no bias, batch norm where asked for, and leaky ReLU.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: 1 or 3, which keep the size, or 4, which halves it.
        batch: Whether there is batch norm.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, batch: bool) -> None:
        stride, padding = (2, 1) if kernel_size == 4 else (1, kernel_size // 2)
        conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        norm = [nn.BatchNorm2d(out_channels)] if batch else []
        super().__init__(spectral_norm(conv), *norm, nn.LeakyReLU(SLOPE))


class PooledHalving(nn.Module):
    """The mean of two convolutions, the first of which halves, and of pooling and a 1x1 one.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        batch: Whether there is batch norm.
    """

    def __init__(self, in_channels: int, out_channels: int, batch: bool) -> None:
        super().__init__()
        self.main = nn.Sequential(
            EncoderConv(in_channels, out_channels, 4, batch),
            EncoderConv(out_channels, out_channels, 3, batch),
        )
        self.direct = nn.Sequential(
            nn.AvgPool2d(2), EncoderConv(in_channels, out_channels, 1, batch)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out_channels, H / 2, W / 2)."""
        halved: Tensor = (self.main(x) + self.direct(x)) / 2
        return halved


def decoder(in_channels: int, base_channels: int, channels: int, doublings: int) -> nn.Sequential:
    """Return a decoder of a map into an image in [-1, 1] that is doubled so many times."""
    widths = [in_channels, *(max(1, base_channels * n // 2) for n in (4, 2, 2, 1)[:doublings])]
    layers: list[nn.Module] = [GatedUpsampling(wide, narrow) for wide, narrow in pairwise(widths)]
    last = nn.Conv2d(widths[-1], channels, 3, padding=1, bias=False)
    return nn.Sequential(*layers, spectral_norm(last), nn.Tanh())


def quarters(x: Tensor, which: Tensor) -> Tensor:
    """Return one quarter of each map, (N, C, H / 2, W / 2).

    Args:
        x: Maps, (N, C, H, W) of even sides.
        which: Which quarter, int64 of shape (N,): 0 and 1 are the upper ones, left and right.
    """
    n, c, height, width = x.shape
    parts = x.reshape(n, c, 2, height // 2, 2, width // 2).permute(0, 2, 4, 1, 3, 5)
    return parts.flatten(1, 2)[torch.arange(n, device=x.device), which]
