"""Tiny networks that parts are tried with where none are given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.types import DiscriminatorOutput, SampleRange, range_bounds

CLASSES = 3


class TinyGenerator(Generator):
    """Two linear layers, ``mapping`` and ``synthesis``; it takes classes and any other condition.

    Args:
        sample_shape: Shape of one sample.
        latent_dim: Size of a latent.
        sample_range: Where samples lie.
    """

    num_classes = CLASSES

    def __init__(
        self, sample_shape: tuple[int, ...], latent_dim: int, sample_range: SampleRange = None
    ) -> None:
        super().__init__()
        self.sample_shape, self.latent_dim = tuple(sample_shape), latent_dim
        self.sample_range = sample_range
        self.map = nn.Linear(latent_dim, 6)
        self.draw = nn.Linear(6, math.prod(self.sample_shape))

    def mapping(self, z: Tensor, y: Any = None) -> Tensor:
        """Return intermediate latents (N, 6)."""
        hidden: Tensor = self.map(z).tanh()
        return hidden

    def synthesis(self, w: Tensor) -> Tensor:
        """Return samples in the range, of intermediate latents."""
        x: Tensor = self.draw(w).reshape(-1, *self.sample_shape)
        if self.sample_range == "free":
            return x
        low, high = range_bounds(self.sample_range) or (-1.0, 1.0)
        return low + (high - low) * (x.tanh() + 1) / 2

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Return samples in the range."""
        return self.synthesis(self.mapping(z, y))


class TinyDiscriminator(Discriminator):
    """Two linear layers, with class logits, features and reconstructions.

    Args:
        sample_shape: Shape of one sample.
        logit_shapes: Shape of a sample's logits; several for a list of heads.
    """

    num_classes = CLASSES

    def __init__(
        self, sample_shape: tuple[int, ...], logit_shapes: Sequence[tuple[int, ...]] = ((),)
    ) -> None:
        super().__init__()
        self.sample_shape, self.logit_shapes = tuple(sample_shape), tuple(logit_shapes)
        self.look = nn.Linear(math.prod(self.sample_shape), 6)
        self.judge = nn.ModuleList(nn.Linear(6, math.prod(shape)) for shape in self.logit_shapes)
        self.classify = nn.Linear(6, CLASSES)
        self.rebuild = nn.Linear(6, math.prod(self.sample_shape))

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Return logits, class logits (N, 3), features (N, 6) and pairs of what is rebuilt."""
        features = self.look(x.flatten(1)).tanh()
        heads = [
            judge(features).reshape(-1, *shape)
            for judge, shape in zip(self.judge, self.logit_shapes, strict=True)
        ]
        logits = heads[0] if len(heads) == 1 else heads
        pairs = [(self.rebuild(features).reshape_as(x), x.detach())]
        extra = {"reconstructions": pairs}
        return DiscriminatorOutput(logits, self.classify(features), features, extra)
