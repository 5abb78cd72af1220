"""The gate by which a small map of a network scales the channels of a large one."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

POOLED = 4


class SkipLayerExcitation(nn.Module):
    r"""Scales the channels of a large map by a small, early one (FastGAN, Liu et al. 2021).

    .. math:: y = \mathcal F(x_\text{low}) \cdot x_\text{high}

    (section 3.1). F averages the small map to 4x4, makes 1x1 of it by a convolution, and gives one
    number between 0 and 1 for each channel of the large map: leaky ReLU of slope 0.1, a 1x1
    convolution and a sigmoid. Both convolutions have spectral norm and no bias.

    Args:
        low_channels: Channels of the small map.
        high_channels: Channels of the large map.
    """

    def __init__(self, low_channels: int, high_channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(POOLED),
            spectral_norm(nn.Conv2d(low_channels, high_channels, POOLED, bias=False)),
            nn.LeakyReLU(0.1),
            spectral_norm(nn.Conv2d(high_channels, high_channels, 1, bias=False)),
            nn.Sigmoid(),
        )

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        """Scale ``high``, (N, D, H, W), by ``low``, (N, C, h, w) of any size."""
        scaled: Tensor = high * self.gate(low)
        return scaled
