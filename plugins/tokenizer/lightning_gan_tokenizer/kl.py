"""The autoencoder whose codes are Gaussian."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_gan import GeneratorOutput
from lightning_gan_tokenizer.networks import Autoencoder, whole_number

LOWEST, HIGHEST = -30.0, 20.0  # of the logarithm of a variance


class KLAutoencoder(Autoencoder):
    """An autoencoder of images with a Gaussian posterior (Kingma & Welling 2014).

    The encoder says mean and variance of every entry of a code. In training codes are drawn from
    it, otherwise they are the mean. The image is the condition,
    ``prepare_batch=BatchKeys(real=0, y=0)``. The terms ``l1`` and ``gaussian_kl`` train it; a small
    weight of the second and an adversarial term make it the first stage of a latent diffusion
    model (Rombach et al. 2022).

    Args:
        sample_shape: (C, H, W), the sides multiples of 2 ** ``levels``.
        code_channels: Numbers in a code, at each place.
        hidden_channels: Channels of the maps inside.
        levels: How often the sides are halved.
        blocks: Residual blocks in each network.

    Raises:
        InputError: The shape does not fit, or a number is out of range.

    Example:
        lightning-gan fit experiment=tokenizer_kl model.generator.code_channels=8
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        code_channels: int = 4,
        hidden_channels: int = 256,
        levels: int = 2,
        blocks: int = 2,
    ) -> None:
        whole_number(code_channels, "code_channels", 1)
        given = (2 * code_channels, code_channels)
        super().__init__(sample_shape, *given, hidden_channels, levels, blocks)

    def forward(self, z: Tensor, y: Any = None) -> GeneratorOutput:
        """Rebuild images from codes that are drawn, in eval mode from their means.

        Args:
            z: Latents, shape (N, 0).
            y: The images, shape (N, C, H, W).

        Returns:
            The images again, and as by-products ``mean`` and ``log_variance``, shape
            (N, code_channels, h, w).
        """
        mean, log_variance = self.posterior(self.images(y, z))
        codes = mean
        if self.training:
            codes = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        return GeneratorOutput(self.decoder(codes), {"mean": mean, "log_variance": log_variance})

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the codes of images, each (N, code_channels, h, w)."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return mean, log_variance.clamp(LOWEST, HIGHEST)

    def encode(self, images: Tensor) -> Tensor:
        """Return the means of the codes of images, shape (N, code_channels, h, w)."""
        return self.posterior(images)[0].contiguous()  # not half of what the encoder made

    def decode(self, codes: Tensor) -> Tensor:
        """Return the images (N, C, H, W) of codes (N, code_channels, h, w)."""
        made: Tensor = self.decoder(codes)
        return made
