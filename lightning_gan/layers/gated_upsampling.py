"""Blocks that double a map, with gated linear units and spectral norm."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from lightning_gan.layers.noise_input import NoiseInput
from lightning_gan.layers.stages import Size


class GatedUpsampling(nn.Sequential):
    """Nearest-neighbor doubling, then a 3x3 convolution, batch norm and a gated linear unit.

    The convolution has twice the channels, spectral norm and no bias; the unit (Dauphin et al.
    2017) scales one half of the channels by the sigmoid of the other.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        noise: (height, width) of the output where there is noise before batch norm and another
            convolution with all that follows it; None: neither.
    """

    def __init__(self, in_channels: int, out_channels: int, noise: Size | None = None) -> None:
        layers: list[nn.Module] = [nn.Upsample(scale_factor=2, mode="nearest")]
        for width in (in_channels,) if noise is None else (in_channels, out_channels):
            conv = nn.Conv2d(width, 2 * out_channels, 3, padding=1, bias=False)
            layers.append(spectral_norm(conv))
            if noise is not None:
                layers.append(NoiseInput(*noise))
            layers += [nn.BatchNorm2d(2 * out_channels), nn.GLU(dim=1)]
        super().__init__(*layers)
