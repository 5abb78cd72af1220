"""The generator of BigGAN."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.layers.attention import SelfAttention2d, check_attention
from lightning_gan.layers.condition import condition_of
from lightning_gan.layers.conditional_norm import ConditionalNorm2d, plain_norm
from lightning_gan.layers.reparameterized import WeightNorm, reparameterize
from lightning_gan.layers.residual import UpBlock, initialize_orthogonal
from lightning_gan.layers.residual_plan import (
    WIDEST,
    check_latent,
    check_width,
    doublings,
    is_small,
)

SMALL_WIDTH = 4  # times base_channels


class BigGANGenerator(Generator):
    """Residual blocks told a shared embedding and a chunk of the latent each (Brock et al. 2019).

    The latent is cut into as many chunks as there are blocks and one more: the first makes the
    smallest map, each other one, beside the embedding of the class, decides gains and biases of the
    two batch norms of its block, by linear maps without bias (appendix B, figure 15). Widths are
    those of table 4 for 128 pixels, 16, 16, 8, 4, 2 and 1 times ``base_channels``; up to 32 pixels
    all maps have 4 times ``base_channels``, as the PyTorch code of one of the authors has it for
    CIFAR. First weights are orthogonal. With ``base_channels=96``, ``attention=64`` and 1,000
    classes at 128 pixels it has 70,433,988 parameters, as compare_gan's.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4, from 8 on.
        latent_dim: Size Z of a latent, at least 1, a multiple of the number of chunks: 2 for 8
            pixels, 3 for 16 and 28, 4 for 32, 5 for 64, 6 for 128. 120 suits them all.
        base_channels: Width ch, at least 1.
        num_classes: K for a class-conditional generator, at least 1; None ignores labels.
        condition_dim: K where conditions are vectors of K numbers (several labels, measurements),
            at least 1.
        num_tokens: V where conditions are sequences of tokens in 0..V-1, at least 1.
        class_dim: Length of the shared embedding, at least 1.
        hierarchical: Whether the latent is cut; False: all of it makes the smallest map.
        attention: Height of the map that attends to itself (64 in the paper), at least 1 and one
            that there is; None: none does.
        weight_norm: How weights are computed: "none", "weight" or "equalized" in place of
            "spectral".

    Raises:
        InputError: The shape does not fit, the latent cannot be cut, a number is out of range, or
            there is more than one condition.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_dim: int = 120,
        base_channels: int = 96,
        num_classes: int | None = None,
        condition_dim: int | None = None,
        num_tokens: int | None = None,
        class_dim: int = 128,
        hierarchical: bool = True,
        attention: int | None = None,
        weight_norm: WeightNorm = "spectral",
    ) -> None:
        super().__init__()
        height, width, levels = doublings(sample_shape)
        check_width(base_channels)
        check_latent(latent_dim)
        if class_dim < 1:
            raise InputError(f"class_dim must be at least 1, got {class_dim}")
        self.chunks = levels + 1 if hierarchical else 1
        if latent_dim % self.chunks:
            raise InputError(
                f"latent_dim must be a multiple of {self.chunks}, the number of chunks for "
                f"{sample_shape[1]}x{sample_shape[2]} pixels, got {latent_dim}; 120 is one, and "
                "hierarchical=False cuts nothing"
            )
        check_attention(attention, [height * 2 ** (level + 1) for level in range(levels)])
        self.sample_shape = tuple(sample_shape)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.condition = condition_of(num_classes, condition_dim, num_tokens, class_dim)
        self.embed: nn.Module | None = None
        told = 0
        if self.condition is not None:
            self.embed = self.condition.table(class_dim)
            told = class_dim
        chunk = latent_dim // self.chunks
        if hierarchical:
            told += chunk

        def norm(channels: int) -> nn.Module:
            if told == 0:
                return nn.BatchNorm2d(channels)
            tables = [nn.Linear(told, channels, bias=False) for _ in range(2)]
            return ConditionalNorm2d(plain_norm("batch_norm", channels), *tables)

        widths = [WIDEST, *(max(WIDEST >> level, 1) for level in range(levels))]
        if is_small(sample_shape):
            widths = [SMALL_WIDTH] * (levels + 1)
        widths = [base_channels * each for each in widths]
        self.smallest = (widths[0], height, width)
        self.project = nn.Linear(chunk, widths[0] * height * width)
        blocks: list[nn.Module] = []
        for level, (channels, following) in enumerate(pairwise(widths)):
            blocks.append(UpBlock(channels, following, norm))
            if height * 2 ** (level + 1) == attention:
                blocks.append(SelfAttention2d(following))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.BatchNorm2d(widths[-1])
        self.draw = nn.Conv2d(widths[-1], self.sample_shape[0], 3, padding=1)
        initialize_orthogonal(self)
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
        first, *chunks = z.chunk(self.chunks, dim=1)
        embedded = [] if self.condition is None else [self.embed(self.condition(y, z))]  # type: ignore[misc]
        x = self.project(first).unflatten(1, self.smallest)
        rest = iter(chunks)
        for block in self.blocks:
            if isinstance(block, UpBlock):
                told = [*embedded, *([next(rest)] if chunks else [])]
                x = block(x, torch.cat(told, dim=1) if told else None)
            else:
                x = block(x)
        return torch.tanh(self.draw(torch.relu(self.norm(x))))
