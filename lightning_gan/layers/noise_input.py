"""Noise that is added to a map, fresh while training and fixed afterwards."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NoiseInput(nn.Module):
    """Adds Gaussian noise of one channel, times a learned number that begins at 0.

    While training the noise is new for each sample, from torch's global generator; in eval mode it
    is one map for all, drawn when the layer is made and kept in a buffer (StyleGAN, Karras et al.
    2019, section 2).

    Args:
        height: Height of the map.
        width: Width of the map.
    """

    fixed: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("fixed", torch.randn(1, 1, height, width))

    def forward(self, x: Tensor) -> Tensor:
        """Add noise to (N, C, height, width)."""
        noise = self.fixed
        if self.training:
            noise = torch.randn(len(x), 1, *x.shape[2:], dtype=noise.dtype, device=x.device)
        return x + (self.strength * noise).to(x.dtype)
