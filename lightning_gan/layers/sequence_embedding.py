"""Sequences of tokens as vectors."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.types import describe

WAVELENGTH = 10_000.0


class SequenceEmbedding(nn.Module):
    r"""Sequences of tokens of any length, each read into one vector by attention.

    Learned vectors of the tokens, sinusoids of their places added (Vaswani et al. 2017, section
    3.5), are the keys; their linear maps are the values. A learned query weighs them:
    :math:`\sum_t \operatorname{softmax}_t(q \cdot k_t / \sqrt{D})\, v_t`. A learned start token
    comes first, so that an empty sequence has a vector as well.

    Args:
        num_tokens: V.
        dim: Length D of a vector.
    """

    def __init__(self, num_tokens: int, dim: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(num_tokens + 1, dim)  # the first one is the start
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim)
        self.query = nn.Parameter(torch.randn(dim))

    def forward(self, y: Any) -> Tensor:
        """Read sequences, shape (N, T), int64, -1 after their end; return shape (N, D).

        Raises:
            InputError: ``y`` is no int64 tensor of two dimensions, or a token is V or more; on an
                accelerator, whose values the host does not wait for, that is an error of its own.
        """
        known = self.tokens.num_embeddings - 1
        if not (isinstance(y, Tensor) and y.dtype == torch.int64 and y.dim() == 2):
            raise InputError(
                f"a network with num_tokens={known} needs sequences y, "
                f"int64 of shape (N, T), got {describe(y)}"
            )
        y = torch.cat([y.new_zeros(len(y), 1), y + 1], dim=1)
        ended = (y < 1) & (torch.arange(y.shape[1], device=y.device) > 0)
        vectors = self._look_up(y.clamp(min=0))
        vectors = vectors + sinusoids(y.shape[1], vectors)
        scores = self.key(vectors) @ self.query / math.sqrt(len(self.query))
        weights = scores.masked_fill(ended, -math.inf).softmax(dim=1)
        read: Tensor = (weights[..., None] * self.value(vectors)).sum(1)
        return read

    def _look_up(self, places: Tensor) -> Tensor:
        """Return the vectors of tokens, counted from the start token."""
        if torch.compiler.is_compiling():
            return self.tokens(places)  # type: ignore[no-any-return]
        try:
            return self.tokens(places)  # type: ignore[no-any-return]
        except IndexError:  # nobody looked at the values before: that would wait for a device
            known = self.tokens.num_embeddings - 1
            raise InputError(
                f"a network with num_tokens={known} takes tokens in 0..{known - 1}, and -1 after "
                f"the end, got {int(places.max()) - 1}"
            ) from None


def sinusoids(length: int, like: Tensor) -> Tensor:
    """Return sines and cosines of places, shape (length, D), for tokens (N, length, D)."""
    dim = like.shape[-1]
    places = torch.arange(length, device=like.device, dtype=like.dtype)[:, None]
    half = torch.arange((dim + 1) // 2, device=like.device, dtype=like.dtype)
    angles = places * torch.exp(half * (-2 * math.log(WAVELENGTH) / dim))
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :dim]
