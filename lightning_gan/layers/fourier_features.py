"""Random Fourier features of coordinates."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FourierFeatures(nn.Module):
    r"""Put sines and cosines of random directions beside an input (Tancik et al. 2020, section 5).

    :math:`[x, \sin(B x), \cos(B x)]`, where the entries of B are drawn once from :math:`N(0,
    s^2)`. B is a buffer: it is saved, and not trained. A network of x alone learns slowly what
    varies over short distances.

    Args:
        inputs: Length d of an input.
        frequencies: Number m of directions.
        scale: s, in radians for a unit of the input.
    """

    frequencies: Tensor

    def __init__(self, inputs: int, frequencies: int, scale: float) -> None:
        super().__init__()
        self.width = inputs + 2 * frequencies
        self.register_buffer("frequencies", scale * torch.randn(inputs, frequencies))

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (N, d + 2m) of inputs (N, d)."""
        angles = x @ self.frequencies.to(x.dtype)
        return torch.cat([x, angles.sin(), angles.cos()], dim=1)
