"""Super resolution of made images, for loops to be shown with."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.data import TensorDataset


class Upscaler(nn.Module):
    """The generator: twice the height and width."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 12, 3, padding=1), nn.Tanh(), nn.Conv2d(12, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )  # fmt: skip

    def forward(self, small):
        return self.layers(small)


class Critic(nn.Module):
    """The discriminator: logits of patches."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 4, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3)
        )

    def forward(self, x):
        return self.layers(x)


def pairs(samples):
    """Waves of 8x8, and each of them twice as small."""
    source = torch.Generator().manual_seed(0)
    phase, line = 6.3 * torch.rand(samples, 3, 1, 1, generator=source), torch.arange(8.0)
    large = (phase + line[:, None] + line).sin() * (line - phase).cos()
    large = large.to(torch.get_default_dtype())
    return TensorDataset(large[..., ::2, ::2].contiguous(), large)
