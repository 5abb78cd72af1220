"""Conditions of networks: classes, vectors of numbers and sequences of tokens, and images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.sequence_embedding import SequenceEmbedding
from lightning_gan.types import describe


class VectorEmbedding(nn.Linear):
    """A learned linear map of vectors of K numbers, N(0, std^2) at first.

    Of a vector of zeros and a single one it makes what :class:`ClassEmbedding` makes of the class;
    of several labels (ones) the sum of their vectors.

    Args:
        condition_dim: K.
        dim: Length of what it makes.
        std: Standard deviation of the first weights.
    """

    def __init__(self, condition_dim: int, dim: int, std: float = 1.0) -> None:
        super().__init__(condition_dim, dim, bias=False)
        nn.init.normal_(self.weight, std=std)


class Condition(nn.Module):
    """What a network is told beside latents or samples, in the form that its layers take.

    One of three, each an argument of the network:

    - ``num_classes=K``: y holds class labels, int64 of shape (N,).
    - ``condition_dim=K``: y holds K numbers for each sample, shape (N, K), of any type: several
      labels (zeros and ones), or measured values; (N,) where K is 1.
    - ``num_tokens=V``: y holds sequences of tokens in 0..V-1, int64 of shape (N, T), -1 where a
      sequence has ended. They are read by attention into one vector each.

    Args:
        num_classes: K, or None.
        condition_dim: K, or None.
        num_tokens: V, or None.
        dim: Length of the vector of a sequence.

    Raises:
        InputError: More than one is given, or a number is below 1.

    Attributes:
        size: K, or the length of the vector of a sequence.
        takes_labels: Whether y holds class labels.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        condition_dim: int | None = None,
        num_tokens: int | None = None,
        dim: int = 128,
    ) -> None:
        super().__init__()
        self.reader: SequenceEmbedding | None = None
        if num_tokens is not None:
            self.reader = SequenceEmbedding(num_tokens, dim)
        sizes = (num_classes, condition_dim, None if num_tokens is None else dim)
        self.size = next(size for size in sizes if size is not None)
        self.takes_labels = num_classes is not None

    def table(self, dim: int, std: float = 1.0) -> nn.Module:
        """Return a layer from what ``forward`` returns to learned vectors, shape (N, dim).

        Args:
            dim: Length of a vector.
            std: Standard deviation of the first weights.
        """
        if self.takes_labels:
            return ClassEmbedding(self.size, dim, std)
        return VectorEmbedding(self.size, dim, std)

    def forward(self, y: Any, like: Tensor) -> Tensor:
        """Return labels as they are, and everything else as vectors, shape (N, size).

        Args:
            y: What the network got.
            like: A tensor of the network's type.

        Raises:
            InputError: It is of another form.
        """
        if self.takes_labels:
            return y  # type: ignore[no-any-return]  # its table says what is wrong
        if self.reader is not None:
            vectors: Tensor = self.reader(y)
            return vectors
        if isinstance(y, Tensor) and y.dim() == 1 and self.size == 1:
            y = y[:, None]
        if not isinstance(y, Tensor) or y.shape[1:] != (self.size,):
            raise InputError(
                f"a network with condition_dim={self.size} needs vectors y of shape "
                f"(N, {self.size}), got {describe(y)}"
            )
        return y.to(like.dtype)


def condition_of(
    num_classes: int | None,
    condition_dim: int | None,
    num_tokens: int | None,
    dim: int = 128,
) -> Condition | None:
    """Return what reads a network's condition; None for a network without one.

    Args:
        num_classes: The network's argument.
        condition_dim: The network's argument.
        num_tokens: The network's argument.
        dim: Length of the vector of a sequence.

    Raises:
        InputError: More than one is given, or a number is below 1.
    """
    names = ("num_classes", "condition_dim", "num_tokens")
    values = (num_classes, condition_dim, num_tokens)
    given = {n: value for n, value in zip(names, values, strict=True) if value is not None}
    if len(given) > 1:
        listing = ", ".join(f"{name}={value}" for name, value in given.items())
        raise InputError(
            f"a network takes one of num_classes, condition_dim and num_tokens, got {listing}; set "
            "the others to null"
        )
    for name, value in given.items():
        if value < 1:
            raise InputError(
                f"{name} must be at least 1, got {value}; leave it out for a network without labels"
            )
    return Condition(num_classes, condition_dim, num_tokens, dim) if given else None


def check_word(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Check an argument that is one of a few words.

    Raises:
        InputError: It is none of them.
    """
    if value not in choices:
        listing = ", ".join(map(repr, choices[:-1]))
        raise InputError(f"{name} must be {listing} or {choices[-1]!r}, got {value!r}")


def with_maps(x: Tensor, vectors: Tensor) -> Tensor:
    """Return samples with vectors (N, D) as D further channels, each constant over its image."""
    places = x.shape[2:]
    maps = vectors.reshape(*vectors.shape, *[1] * len(places)).expand(-1, -1, *places)
    return torch.cat([x, maps.to(x.dtype)], dim=1)


def check_image(y: Any, channels: int, like: Any) -> Tensor:
    """Return a condition that is to be an image of some channels.

    Args:
        y: The condition.
        channels: C of it.
        like: Height and width that it must have.

    Raises:
        InputError: It is none.
    """
    expected = (channels, *like)
    if not isinstance(y, Tensor) or tuple(y.shape[1:]) != expected:
        raise InputError(
            f"a network with condition_channels={channels} needs images y of shape "
            f"(N, {', '.join(map(str, expected))}), got {describe(y)}"
        )
    return y
