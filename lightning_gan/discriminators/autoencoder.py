"""The convolutional autoencoder as a discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.pyramid import pyramid
from lightning_gan.layers.reconstructing import judged
from lightning_gan.types import DiscriminatorOutput


class AutoencoderDiscriminator(Discriminator):
    r"""A convolutional autoencoder, whose logit is its negative error (Berthelot et al. 2017).

    The encoder halves the image by 3x3 convolutions of stride 2 and ends in a linear code; the
    decoder doubles it by nearest neighbours and 3x3 convolutions, with ELU in between, as BEGAN's
    do, with one convolution for each size. The logit of a sample is
    :math:`-\frac{1}{d} \sum_i |x_i - \hat x_i|^p` over its d values: the error of BEGAN and the
    energy of EBGAN with the sign that makes high logits real. For the losses
    ``boundary_equilibrium`` and ``energy_based``; labels are ignored.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4.
        base_channels: Channels of the largest feature map, at least 1.
        code_dim: Length of the code, at least 1.
        power: p, 1 or 2.

    Example:
        lightning-gan fit loss=boundary_equilibrium discriminator=autoencoder

    Raises:
        InputError: The shape does not fit, a size is below 1, or ``power`` is neither 1 nor 2.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        base_channels: int = 64,
        code_dim: int = 64,
        power: Literal[1, 2] = 1,
    ) -> None:
        super().__init__()
        sizes = pyramid(sample_shape, base_channels)
        if code_dim < 1:
            raise InputError(f"code_dim must be at least 1, got {code_dim}")
        if power not in (1, 2):
            raise InputError(f"power must be 1 or 2, got {power!r}")
        self.sample_shape, self.power = tuple(sample_shape), power
        step = 2 if sizes.halved else 1
        widths = [self.sample_shape[0], *reversed(sizes.channels)]
        encoder: list[nn.Module] = []
        for width, following in pairwise(widths):
            encoder += [nn.Conv2d(width, following, 3, step, 1), nn.ELU()]
        self.encoder = nn.Sequential(*encoder, nn.Flatten(), nn.Linear(sizes.features, code_dim))
        smallest = (sizes.channels[0], sizes.height, sizes.width)
        decoder: list[nn.Module] = [nn.Linear(code_dim, sizes.features), nn.Unflatten(1, smallest)]
        for width, following in pairwise(widths[::-1]):
            decoder += [
                nn.ELU(),
                nn.Upsample(scale_factor=step),
                nn.Conv2d(width, following, 3, 1, 1),
            ]
        self.decoder = nn.Sequential(*decoder)

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Judge images by how well they can be reconstructed.

        Args:
            x: Images, shape (N, C, H, W).
            y: Anything.

        Returns:
            Logits, shape (N,), never above 0; the code (N, code_dim) as features; and in extra the
            reconstruction, shape (N, C, H, W).
        """
        code = self.encoder(x)
        return judged(x, self.decoder(code), code, self.power)
