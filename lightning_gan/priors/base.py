"""The contract of priors."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.components.part import Part


class Prior(Part):
    """Distribution of the latents. The base class itself: the standard normal distribution.

    Attributes:
        center: Where truncation draws the coordinates of a latent to; 0 unless said otherwise.
    """

    center: float = 0.0

    def sample(
        self,
        n: int,
        latent_dim: int,
        *,
        generator: torch.Generator | None,
        device: torch.device | str,
    ) -> Tensor:
        """Draw latents.

        Args:
            n: Number of latents.
            latent_dim: Size Z of one latent; 0 is allowed.
            generator: Source of randomness, on ``device``; None for torch's global one.
            device: Where to draw.

        Returns:
            Latents, float32 of shape (n, Z).
        """
        return torch.randn(n, latent_dim, generator=generator, device=device)
