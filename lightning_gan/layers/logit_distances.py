"""How far apart two outputs of a discriminator are."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.types import DiscriminatorOutput


def logit_distances(one: DiscriminatorOutput, other: DiscriminatorOutput) -> list[Tensor]:
    """Return the squared difference of each sample's logits, (N,) for each head.

    Args:
        one: An output on N samples; the mean is taken over a trailing shape of its logits.
        other: One on N other samples, of the same shapes.
    """
    pairs = zip(one.heads, other.heads, strict=True)
    return [(a - b).square().reshape(len(a), -1).mean(1) for a, b in pairs]
