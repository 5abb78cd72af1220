"""The U-Net discriminator: one logit for the image, and one for each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.judging import Conditioning, JudgedCondition
from lightning_gan.layers.reparameterized import WeightNorm, reparameterize
from lightning_gan.layers.residual import DownBlock, UpBlock, initialize_orthogonal
from lightning_gan.layers.residual_plan import check_width, doublings, widening
from lightning_gan.types import DiscriminatorOutput


class UNetDiscriminator(Discriminator):
    """An encoder judges the image, a decoder each pixel: two heads (Schönfeld et al. 2020).

    Residual blocks of BigGAN's discriminator halve the map to 4 pixels or more and double the
    channels from ``base_channels`` to 16 times as many; their sum over the map gives the first
    head's logit. Blocks that double the map again, each beside the encoder's map of its size, and a
    1x1 convolution give the second head's logits (their section 3.1). The game joins the losses of
    the heads as GANModule says (``heads``, ``head_weights``). First weights are orthogonal.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4, from 8 on.
        base_channels: Channels of the largest map, at least 1.
        num_classes: K for a class-conditional discriminator, at least 1; None ignores labels.
        condition_dim: K where conditions are vectors of K numbers (several labels, measurements),
            at least 1.
        num_tokens: V where conditions are sequences of tokens in 0..V-1, at least 1.
        conditioning: "projection" (at both heads: the inner product of features, of the image or of
            a pixel, and a learned vector), "concat" (as channels of the image) or "auxiliary" (a
            further head of the encoder tells it: class logits).
        class_dim: Length of the vector of "concat", and of a sequence's, at least 1.
        weight_norm: How weights are computed: "none", "weight" or "equalized" in place of
            "spectral".
        heads: Further linear heads on the pooled features, name and width, at least 1, such as
            {"codes": 12}.

    Raises:
        InputError: The shape does not fit, a number is out of range, a word is unknown, or there is
            more than one condition.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        base_channels: int = 64,
        num_classes: int | None = None,
        condition_dim: int | None = None,
        num_tokens: int | None = None,
        conditioning: Conditioning = "projection",
        class_dim: int = 128,
        weight_norm: WeightNorm = "spectral",
        heads: dict[str, int] | None = None,
    ) -> None:
        super().__init__()
        _, _, levels = doublings(sample_shape)
        check_width(base_channels)
        if class_dim < 1:
            raise InputError(f"class_dim must be at least 1, got {class_dim}")
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes
        self.judged = JudgedCondition(
            self.sample_shape[0], conditioning, num_classes, condition_dim, num_tokens, class_dim
        )
        widths = widening(base_channels, levels)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        channels = self.judged.channels
        for level, width in enumerate(widths):
            self.encoder.append(DownBlock(channels, width, width, True, first=level == 0))
            channels = width
        for width in reversed([base_channels, *widths[:-1]]):
            self.decoder.append(UpBlock(channels, width, norm=None))
            channels = 2 * width  # the encoder's map beside it
        self.verdict = self.judged.verdict(widths[-1], heads)
        self.pixels = nn.Conv2d(base_channels, 1, 1)
        self.pixel_classes: nn.Module | None = None
        if self.judged.projects:
            self.pixel_classes = self.judged.table(base_channels)
        initialize_orthogonal(self)
        reparameterize(self, weight_norm, tables=True)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Judge images and their pixels.

        Args:
            x: Images, shape (N, C, H, W).
            y: The condition, N first, or anything for a network without one.

        Returns:
            Logits of shape (N,) and of shape (N, 1, H, W); as features the maps of the encoder and
            those of the decoder, a list of lists; class logits, shape (N, K), of an auxiliary head.
        """
        x, c = self.judged.enter(x, y)
        maps, decoded = [], []
        for block in self.encoder:
            x = block(x)
            maps.append(x)
        output: DiscriminatorOutput = self.verdict(x, c)
        skips = [None, *reversed(maps[:-1])]
        for block, skip in zip(self.decoder, skips, strict=True):
            x = block(x if skip is None else torch.cat([x, skip], dim=1))
            decoded.append(x)
        pixels = self.pixels(x)
        if self.pixel_classes is not None:
            vectors = self.pixel_classes(c)[:, :, None, None]
            pixels = pixels + (x * vectors).sum(1, keepdim=True)
        return replace(output, logits=[*output.heads, pixels], features=[maps, decoded])
