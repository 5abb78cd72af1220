"""The transformer generator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, silu

from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.transformer import (
    RMSNorm,
    TransformerBlock,
    head_count,
    linear,
    token_grid,
)
from lightning_gan.types import ParameterGroup


class TransformerGenerator(Generator):
    r"""A plain transformer in the style of a latent, patches out (after GAT, Hyun et al. 2025).

    A small hidden layer makes a style of the latent and the vector of the class. It is added to
    learned tokens, one for each patch, which go through pre-norm blocks that the style modulates
    too; a linear layer turns each token into the pixels of its patch. Samples are images or the
    latents of an autoencoder of any number of channels; there is no tanh.

    After "Scalable GANs with Transformers" (arXiv 2509.24935), by its abstract, its project page
    and summaries of it: transformers for both players; a style that sets the factors of the norms
    and of the branches; the linear layer at the end; normalised queries and keys and the gated
    hidden layer; and the rule that makes one learning rate fit all widths: it is divided by
    ``width / base_width``, which ``parameter_groups`` does by itself. Left out: that paper's
    supervision of intermediate outputs at several levels of noise, and the alignment of outputs of
    several scales (CAT, arXiv 2605.26449). The sizes of first weights, the learned tokens and the
    style in them are this library's.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of ``patch_size``.
        latent_dim: Size Z of a latent, at least 1.
        width: Length of a token and of the style, a multiple of ``head_width``, at least 1:
            everything grows with it.
        depth: Number of blocks, at least 1.
        patch_size: Side of a patch, at least 1; there is one token for each.
        head_width: Length of an attention head, at least 1; it divides ``width``.
        mlp_ratio: Size of the hidden layers in multiples of ``width``, above 0.
        base_width: The width for which the learning rate is meant, at least 1.
        num_classes: K for a class-conditional generator, at least 1; None ignores labels.

    Raises:
        InputError: The shape does not fit, or a number is out of range.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_dim: int = 64,
        width: int = 64,
        depth: int = 4,
        patch_size: int = 4,
        head_width: int = 32,
        mlp_ratio: float = 4.0,
        base_width: int = 64,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.grid = token_grid(tuple(sample_shape), patch_size)
        heads = head_count(width, head_width)
        if min(latent_dim, depth, base_width) < 1 or not mlp_ratio > 0:
            raise InputError(
                f"latent_dim, depth, base_width and mlp_ratio must be positive, got latent_dim="
                f"{latent_dim}, depth={depth}, base_width={base_width}, mlp_ratio={mlp_ratio}"
            )
        self.sample_shape = tuple(sample_shape)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.patch_size, self.rate = patch_size, base_width / width
        inputs = latent_dim
        if num_classes is not None:
            self.classes = ClassEmbedding(num_classes, latent_dim)
            inputs += latent_dim
        self.style = nn.ModuleList([linear(inputs, width), linear(width, width)])
        self.tokens = nn.Parameter(torch.randn(self.grid[0] * self.grid[1], width))
        self.blocks = nn.ModuleList(
            TransformerBlock(width, heads, depth, mlp_ratio, style_dim=width) for _ in range(depth)
        )
        self.norm = RMSNorm(width)
        self.to_patch = linear(width, self.sample_shape[0] * patch_size**2)

    def mapping(self, z: Tensor, y: Any = None) -> Tensor:
        """Return styles, shape (N, width), of latents (N, Z) and labels."""
        if self.num_classes is not None:
            z = torch.cat([z, self.classes(y)], dim=1)
        hidden, output = self.style
        style: Tensor = output(silu(hidden(z)))
        return style

    def synthesis(self, w: Tensor) -> Tensor:
        """Return samples, shape (N, C, H, W), of styles (N, width)."""
        tokens = self.tokens + w[:, None]
        for block in self.blocks:
            tokens = block(tokens, w)
        patches = self.to_patch(self.norm(tokens))  # (N, T, C * p * p)
        return pixel_shuffle(patches.mT.unflatten(2, self.grid), self.patch_size)

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Generate samples, of about the range of the data after training.

        Args:
            z: Latents, shape (N, Z).
            y: Class labels, int64 of shape (N,), or anything where ``num_classes`` is None.

        Returns:
            Samples, shape (N, C, H, W).
        """
        return self.synthesis(self.mapping(z, y))

    def parameter_groups(self) -> Iterable[ParameterGroup]:
        """Return one group with all parameters, at the rate of this width."""
        return [ParameterGroup("width", list(self.parameters()), self.rate)]
