"""Normalization whose gains and biases depend on a condition."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class ConditionalNorm2d(nn.Module):
    r"""Normalized channels, times gains and plus biases that a condition decides.

    :math:`y = (1 + G(c))\, \mathrm{norm}(x) + B(c)`. With batch norm: conditional batch norm
    (Dumoulin et al. 2017; de Vries et al. 2017). With instance norm: AdaIN (Huang & Belongie 2017,
    equation 8; Karras et al. 2019, equation 1).

    Args:
        norm: Normalizes, without gains and biases of its own.
        gain: G, from conditions to vectors of the channels.
        bias: B, likewise.
    """

    def __init__(self, norm: nn.Module, gain: nn.Module, bias: nn.Module) -> None:
        super().__init__()
        self.norm, self.gain, self.bias = norm, gain, bias

    def forward(self, x: Tensor, c: Any) -> Tensor:
        """Normalize.

        Args:
            x: Shape (N, C, H, W).
            c: What ``gain`` and ``bias`` take.
        """
        gain, bias = self.gain(c)[:, :, None, None], self.bias(c)[:, :, None, None]
        y: Tensor = self.norm(x) * (1 + gain) + bias
        return y


class ConditionalSequential(nn.Sequential):
    """Layers one after the other, of which conditional norms get the condition as well."""

    def forward(self, x: Tensor, c: Any = None) -> Tensor:
        """Run the layers."""
        for layer in self:
            x = run_conditional(layer, x, c)
        return x


def run_conditional(layer: nn.Module, x: Tensor, c: Any) -> Tensor:
    """Run a layer, with the condition where it takes one."""
    result: Tensor = layer(x, c) if isinstance(layer, ConditionalNorm2d) else layer(x)
    return result


def plain_norm(conditioning: str, channels: int) -> nn.Module:
    """Return the normalization below "adain" or "batch_norm", without gains and biases."""
    if conditioning == "adain":
        return nn.InstanceNorm2d(channels)
    return nn.BatchNorm2d(channels, affine=False)
