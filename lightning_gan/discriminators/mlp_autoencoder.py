"""The fully connected autoencoder as a discriminator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.reconstructing import judged
from lightning_gan.types import DiscriminatorOutput, not_negative


class MLPAutoencoderDiscriminator(Discriminator):
    r"""A fully connected autoencoder, whose logit is its negative error (Zhao et al. 2017).

    The encoder has the layers of ``hidden`` and a code, the decoder the same backwards, with
    LeakyReLU between them. The logit of a sample is
    :math:`-\frac{1}{d} \sum_i |x_i - \hat x_i|^p` over its d values: the energy of EBGAN and the
    error of BEGAN with the sign that makes high logits real. For the losses ``energy_based`` and
    ``boundary_equilibrium``; labels are ignored.

    Args:
        sample_shape: Shape of one sample, any number of dimensions, each at least 1.
        hidden: Width of each hidden layer of the encoder, first to last, each at least 1.
        code_dim: Length of the code, at least 1.
        power: p, 1 or 2.
        slope: Slope of LeakyReLU for negative inputs, at least 0.

    Example:
        lightning-gan fit loss=energy_based discriminator=mlp_autoencoder

    Raises:
        InputError: A number is out of range, or ``power`` is neither 1 nor 2.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        hidden: Sequence[int] = (512, 256),
        code_dim: int = 64,
        power: Literal[1, 2] = 2,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        self.sample_shape = tuple(sample_shape)
        if min(code_dim, *self.sample_shape, *hidden) < 1:
            raise InputError(
                f"sample_shape, hidden and code_dim must be positive, got sample_shape="
                f"{self.sample_shape}, hidden={tuple(hidden)}, code_dim={code_dim}"
            )
        if power not in (1, 2):
            raise InputError(f"power must be 1 or 2, got {power!r}")
        not_negative(slope, "slope")
        self.power = power
        widths = [math.prod(self.sample_shape), *hidden, code_dim]
        self.encoder = _layers(widths, slope)
        self.decoder = _layers(widths[::-1], slope)

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Judge samples by how well they can be reconstructed.

        Args:
            x: Samples, shape (N, *sample_shape).
            y: Anything.

        Returns:
            Logits, shape (N,), never above 0; the code (N, code_dim) as features; and in extra the
            reconstruction, shape (N, *sample_shape).
        """
        code = self.encoder(x.flatten(1))
        return judged(x, self.decoder(code).reshape(x.shape), code, self.power)


def _layers(widths: Sequence[int], slope: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width, following in pairwise(widths):
        layers += [nn.Linear(width, following), nn.LeakyReLU(slope)]
    return nn.Sequential(*layers[:-1])
