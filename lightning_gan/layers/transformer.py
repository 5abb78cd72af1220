"""Transformer blocks that can be differentiated twice, and that a style can modulate."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from lightning_gan.errors import InputError

EPS = 1e-6


class RMSNorm(nn.Module):
    """Divides vectors by the root of their mean square, times a learned factor for each entry.

    Written in elementary operations, so that every device can differentiate it twice.

    Args:
        width: Length of a vector.
        scaled: Whether there are learned factors.
    """

    def __init__(self, width: int, scaled: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width)) if scaled else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (..., width)."""
        x = x * (x.square().mean(-1, keepdim=True) + EPS).rsqrt()
        return x if self.weight is None else x * self.weight


class TokenAttention(nn.Module):
    r"""Self-attention of several heads, softmax(q k^T / sqrt d) v, with normalised q and k.

    Computed as it is written: torch's fused kernels have no second derivative, which gradient
    penalties need.

    Args:
        width: Length of a token.
        heads: How many; a divisor of ``width``.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = linear(width, 3 * width)
        self.norms = nn.ModuleList(RMSNorm(width // heads) for _ in range(2))
        self.output = linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (N, T, width) of (N, T, width)."""
        split = self.inputs(tokens).unflatten(-1, (3, self.heads, -1))
        q, k, v = split.permute(2, 0, 3, 1, 4)  # (N, heads, T, d) each
        q, k = self.norms[0](q), self.norms[1](k)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
        mixed: Tensor = self.output((weights @ v).transpose(1, 2).flatten(2))
        return mixed


class SwiGLU(nn.Module):
    """A gated hidden layer, W_3(silu(W_1 x) * W_2 x) (Shazeer 2020).

    Args:
        width: Length of a token.
        hidden: Length of the hidden layer.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.inputs, self.output = linear(width, 2 * hidden), linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (N, T, width)."""
        gate, value = self.inputs(tokens).chunk(2, dim=-1)
        made: Tensor = self.output(silu(gate) * value)
        return made


class TransformerBlock(nn.Module):
    r"""A pre-norm block: attention and a gated hidden layer, each scaled beside the identity.

    .. math:: x \leftarrow x + \alpha_1\, \text{Attention}((1 + \gamma_1) \,\text{norm}(x)), \qquad
        x \leftarrow x + \alpha_2\, \text{SwiGLU}((1 + \gamma_2) \,\text{norm}(x))

    Without a style, :math:`\alpha` is learned for each entry (LayerScale, Touvron et al. 2021) and
    :math:`1 + \gamma` is the norm's own factor. With one, both are affine functions of it.
    :math:`\alpha` begins at :math:`1 / \sqrt{2L}` for L blocks, so that all branches together add
    as much as there is, and :math:`\gamma` at 0, about where there is a style.

    Args:
        width: Length of a token.
        heads: Heads of the attention.
        depth: L, the number of blocks of the network.
        mlp_ratio: Length of a plain hidden layer in multiples of ``width``; the gated one has 2/3
            of it, for as many weights.
        style_dim: Length of the style; None: there is none.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        depth: int,
        mlp_ratio: float = 4.0,
        style_dim: int | None = None,
    ) -> None:
        super().__init__()
        hidden = max(1, round(mlp_ratio * width * 2 / 3))
        self.norms = nn.ModuleList(RMSNorm(width, scaled=style_dim is None) for _ in range(2))
        self.branches = nn.ModuleList([TokenAttention(width, heads), SwiGLU(width, hidden)])
        self.first_scale = (2 * depth) ** -0.5
        if style_dim is None:
            self.scales = nn.Parameter(torch.full((2, width), self.first_scale))
        else:
            self.modulation = linear(style_dim, 4 * width, gain=self.first_scale)

    def forward(self, tokens: Tensor, style: Tensor | None = None) -> Tensor:
        """Return (N, T, width) of (N, T, width), in a style (N, style_dim) where there is one."""
        if style is not None:
            changes = self.modulation(style)[:, None].chunk(4, dim=-1)  # (N, 1, width) each
        for place, (norm, branch) in enumerate(zip(self.norms, self.branches, strict=True)):
            normed = norm(tokens)
            if style is None:
                tokens = tokens + self.scales[place] * branch(normed)
            else:
                gamma, alpha = changes[2 * place], self.first_scale + changes[2 * place + 1]
                tokens = tokens + alpha * branch((1 + gamma) * normed)
        return tokens


def linear(in_features: int, out_features: int, gain: float = 1.0) -> nn.Linear:
    """Return a linear layer of first weights N(0, gain^2 / fan_in) and biases of 0."""
    layer = nn.Linear(in_features, out_features)
    nn.init.normal_(layer.weight, std=gain / math.sqrt(in_features))
    nn.init.zeros_(layer.bias)
    return layer


def head_count(width: int, head_width: int) -> int:
    """Return the number of heads of an attention.

    Raises:
        InputError: A number is below 1, or ``head_width`` does not divide ``width``.
    """
    if min(width, head_width) < 1 or width % head_width:
        raise InputError(
            f"width must be a positive multiple of head_width, got width={width}, "
            f"head_width={head_width}"
        )
    return width // head_width


def token_grid(sample_shape: tuple[int, ...], patch_size: int) -> tuple[int, int]:
    """Return how many patches there are in height and width.

    Raises:
        InputError: ``sample_shape`` is no (C, H, W) whose sides are multiples of ``patch_size``.
    """
    shape = sample_shape
    if patch_size < 1:
        raise InputError(f"patch_size must be at least 1, got {patch_size}")
    if len(shape) != 3 or min(shape) < 1 or shape[1] % patch_size or shape[2] % patch_size:
        raise InputError(
            f"sample_shape must be (channels, height, width) with height and width multiples of "
            f"patch_size={patch_size}, got {shape}"
        )
    return shape[1] // patch_size, shape[2] // patch_size
