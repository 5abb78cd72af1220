"""A last linear layer whose direction and features are trained apart."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from lightning_gan.types import DiscriminatorOutput


class Slices(NamedTuple):
    """Logits of one value in three graphs.

    Attributes:
        logits: Those of direction and features, shape (N, K).
        function: Of the features alone: the direction is a constant.
        direction: Of the direction alone: the features are constants.
    """

    logits: Tensor
    function: Tensor
    direction: Tensor


class SlicedLinear(nn.Module):
    r"""Inner products with directions of norm 1, the last layer of SAN (Takida et al. 2024).

    The logits are :math:`\langle \omega / \lVert \omega \rVert, h \rangle` of features
    :math:`h = s (x + b)` with a learned scale s of each direction and a learned offset b. They
    begin as those of a linear layer without bias.

    Args:
        in_features: Length of x.
        out_features: K, the number of directions.
    """

    def __init__(self, in_features: int, out_features: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.Linear(in_features, out_features).weight.detach().clone())
        self.scale = nn.Parameter(torch.ones(out_features))
        self.bias = nn.Parameter(torch.zeros(in_features))
        self.rescale()

    @torch.no_grad()
    def rescale(self) -> None:
        """Set each scale to the norm of its weight, after the first weights were drawn anew."""
        self.scale.copy_(self.weight.norm(dim=1))

    def forward(self, x: Tensor, offset: Tensor | None = None) -> Slices:
        """Return the logits of features.

        Args:
            x: Features, shape (N, in_features).
            offset: What is added to the directions of each sample, shape (N, in_features), such as
                a learned vector of its class; None: nothing.
        """
        weight = self.weight if offset is None else self.weight + offset[:, None]  # ([N,] K, d)
        direction = normalize(weight, dim=-1)
        features = (x + self.bias)[:, None]  # (N, 1, d)

        def product(features: Tensor, direction: Tensor, scale: Tensor) -> Tensor:
            return (features * direction).sum(-1) * scale

        return Slices(
            product(features, direction, self.scale),
            product(features, direction.detach(), self.scale),
            product(features.detach(), direction, self.scale.detach()),
        )

    def judge(self, x: Tensor, offset: Tensor | None = None) -> DiscriminatorOutput:
        """Return the logits as a discriminator does: (N,) where K is 1, and the others in extra."""
        slices = self(x, offset)
        if slices.logits.shape[1] == 1:
            slices = Slices(*(each.squeeze(1) for each in slices))
        extra = {"function": slices.function, "direction": slices.direction}
        return DiscriminatorOutput(slices.logits, extra=extra)
