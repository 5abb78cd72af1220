"""The residual generator of SNGAN, with self-attention that of SAGAN."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.layers.attention import SelfAttention2d, check_attention
from lightning_gan.layers.condition import check_word, condition_of
from lightning_gan.layers.conditional_norm import ConditionalNorm2d, plain_norm
from lightning_gan.layers.reparameterized import WeightNorm, reparameterize
from lightning_gan.layers.residual import UpBlock, initialize_residual
from lightning_gan.layers.residual_plan import (
    check_latent,
    check_width,
    doublings,
    is_small,
    widening,
)

CONDITIONINGS = ("batch_norm", "adain", "concat", "product")


class SNGANResNetGenerator(Generator):
    """Residual blocks with conditional batch norm (Miyato et al. 2018, tables 4 to 6; SAGAN).

    A linear layer makes the smallest map (4x4 for 32, 64 and 128 pixels, 6x6 for 48, 7x7 for 28),
    each block doubles it; batch norm (never a conditional one), ReLU, a 3x3 convolution and tanh
    follow. Up to 32 pixels all
    maps have ``base_channels`` (table 4: 256). Larger ones have 16 times ``base_channels`` at most,
    halved from block to block to ``base_channels`` (64 in table 5 for 48 and table 6 for 128). With
    ``attention=32`` and ``weight_norm="spectral"`` this is the generator of SAGAN for 128 pixels
    (Zhang et al. 2019). First weights are Glorot uniform, those of 3x3 convolutions in blocks times
    sqrt(2), as in the authors' code.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4, from 8 on.
        latent_dim: Size Z of a latent, at least 1.
        base_channels: Width, at least 1; None: that of the paper, 256 up to 32 pixels and 64 above.
        num_classes: K for a class-conditional generator, at least 1; None ignores labels.
        condition_dim: K where conditions are vectors of K numbers (several labels, measurements),
            at least 1.
        num_tokens: V where conditions are sequences of tokens in 0..V-1, at least 1.
        conditioning: Where the condition enters: gains and biases of "batch_norm" (Miyato & Koyama
            2018) or of "adain", or as a learned vector beside the latent ("concat") or times it
            ("product").
        class_dim: Length of the vector of "concat", and of a sequence's, at least 1.
        attention: Height of the map that attends to itself, at least 1 and one that there is; None:
            none does.
        weight_norm: How weights are computed: "spectral", "weight" or "equalized"; see the layer
            reparameterized.

    Raises:
        InputError: The shape does not fit, a number is out of range, a word is unknown, or there is
            more than one condition.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_dim: int = 128,
        base_channels: int | None = None,
        num_classes: int | None = None,
        condition_dim: int | None = None,
        num_tokens: int | None = None,
        conditioning: Literal["batch_norm", "adain", "concat", "product"] = "batch_norm",
        class_dim: int = 128,
        attention: int | None = None,
        weight_norm: WeightNorm = "none",
    ) -> None:
        super().__init__()
        height, width, levels = doublings(sample_shape)
        small = is_small(sample_shape)
        if base_channels is None:
            base_channels = 256 if small else 64
        check_width(base_channels)
        check_latent(latent_dim)
        check_word("conditioning", conditioning, CONDITIONINGS)
        if class_dim < 1:
            raise InputError(f"class_dim must be at least 1, got {class_dim}")
        check_attention(attention, [height * 2 ** (level + 1) for level in range(levels)])
        self.sample_shape = tuple(sample_shape)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.conditioning = conditioning
        self.condition = condition_of(num_classes, condition_dim, num_tokens, class_dim)
        conditional = self.condition is not None and conditioning in ("batch_norm", "adain")

        def norm(channels: int) -> nn.Module:
            if not conditional or self.condition is None:
                return nn.BatchNorm2d(channels)
            tables = [self.condition.table(channels, std=0.0) for _ in range(2)]
            return ConditionalNorm2d(plain_norm(conditioning, channels), *tables)

        inputs = latent_dim
        self.classes: nn.Module | None = None
        if self.condition is not None and not conditional:
            product = conditioning == "product"
            self.classes = self.condition.table(latent_dim if product else class_dim)
            inputs += 0 if product else class_dim
        widths = [base_channels] * (levels + 1) if small else widening(base_channels, levels + 1)
        widths.reverse()
        self.smallest = (widths[0], height, width)
        self.project = nn.Linear(inputs, widths[0] * height * width)
        blocks: list[nn.Module] = []
        for level, (channels, following) in enumerate(pairwise(widths)):
            blocks.append(UpBlock(channels, following, norm))
            if height * 2 ** (level + 1) == attention:
                blocks.append(SelfAttention2d(following))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.BatchNorm2d(widths[-1])  # without the condition, as in the authors' code
        self.draw = nn.Conv2d(widths[-1], self.sample_shape[0], 3, padding=1)
        initialize_residual(self)
        reparameterize(self, weight_norm)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Generate images in [-1, 1].

        Args:
            z: Latents, shape (N, Z).
            y: The condition, N first, or anything for a network without one.

        Returns:
            Images, shape (N, C, H, W).
        """
        c = None if self.condition is None else self.condition(y, z)
        if self.classes is not None:
            vectors = self.classes(c)
            z = z * vectors if self.conditioning == "product" else torch.cat([z, vectors], dim=1)
        x = self.project(z).unflatten(1, self.smallest)
        for block in self.blocks:
            x = block(x, c) if isinstance(block, UpBlock) else block(x)
        return torch.tanh(self.draw(torch.relu(self.norm(x))))
