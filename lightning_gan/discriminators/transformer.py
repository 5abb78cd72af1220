"""The transformer discriminator."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.transformer import (
    RMSNorm,
    TransformerBlock,
    head_count,
    linear,
    token_grid,
)
from lightning_gan.types import ParameterGroup


class TransformerDiscriminator(Discriminator):
    r"""A plain vision transformer with one token for the verdict (after GAT, Hyun et al. 2025).

    A linear layer makes a token of each patch, to which a learned one of its place is added. One
    more token goes with them through the pre-norm blocks and is read by a linear layer. Classes
    enter by projection: the inner product of that token and a learned vector of the class, over
    the root of its length, is added to the logit (Miyato & Koyama 2018). Attention is written out,
    so that ``r1`` and ``r2`` work on every device.

    After "Scalable GANs with Transformers" (arXiv 2509.24935), by its abstract, its project page
    and summaries of it: the plain transformer, the token of the verdict, projection, branches that
    begin small, normalised queries and keys, the gated hidden layer, and the learning rate's
    division by ``width / base_width``. Left out: that paper's alignment with a pretrained network.
    The sizes of first weights and the learned places are this library's.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of ``patch_size``.
        width: Length of a token, a multiple of ``head_width``, at least 1: everything grows with
            it.
        depth: Number of blocks, at least 1.
        patch_size: Side of a patch, at least 1; there is one token for each.
        head_width: Length of an attention head, at least 1; it divides ``width``.
        mlp_ratio: Size of the hidden layers in multiples of ``width``, above 0.
        base_width: The width for which the learning rate is meant, at least 1.
        num_classes: K for a class-conditional discriminator, at least 1; None ignores labels.

    Raises:
        InputError: The shape does not fit, or a number is out of range.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        width: int = 64,
        depth: int = 4,
        patch_size: int = 4,
        head_width: int = 32,
        mlp_ratio: float = 4.0,
        base_width: int = 64,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        rows, columns = token_grid(tuple(sample_shape), patch_size)
        heads = head_count(width, head_width)
        if min(depth, base_width) < 1 or not mlp_ratio > 0:
            raise InputError(
                f"depth, base_width and mlp_ratio must be positive, got depth={depth}, "
                f"base_width={base_width}, mlp_ratio={mlp_ratio}"
            )
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes
        self.patch_size, self.rate = patch_size, base_width / width
        self.from_patch = linear(self.sample_shape[0] * patch_size**2, width)
        self.places = nn.Parameter(0.5 * torch.randn(rows * columns, width))
        # Small, so that the branches, which see the sample, make it what it is.
        self.verdict = nn.Parameter(0.02 * torch.randn(1, width))
        self.blocks = nn.Sequential(
            *(TransformerBlock(width, heads, depth, mlp_ratio) for _ in range(depth))
        )
        self.norm = RMSNorm(width)
        self.head = linear(width, 1)
        if num_classes is not None:
            self.classes = ClassEmbedding(num_classes, width)

    def forward(self, x: Tensor, y: Any = None) -> Tensor:
        """Judge samples.

        Args:
            x: Samples, shape (N, C, H, W).
            y: Class labels, int64 of shape (N,), or anything where ``num_classes`` is None.

        Returns:
            Logits, shape (N,).
        """
        patches = pixel_unshuffle(x, self.patch_size).flatten(2).mT  # (N, T, C * p * p)
        tokens = self.from_patch(patches) + self.places
        verdict = self.verdict.expand(len(x), -1, -1).to(tokens.dtype)
        read = self.norm(self.blocks(torch.cat([verdict, tokens], dim=1))[:, 0])
        logits: Tensor = self.head(read).squeeze(1)
        if self.num_classes is not None:
            logits = logits + (read * self.classes(y)).sum(1) / math.sqrt(read.shape[1])
        return logits

    def parameter_groups(self) -> Iterable[ParameterGroup]:
        """Return one group with all parameters, at the rate of this width."""
        return [ParameterGroup("width", list(self.parameters()), self.rate)]
