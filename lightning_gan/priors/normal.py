"""Normal latents."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.priors.base import Prior
from lightning_gan.types import finite, not_negative


class NormalPrior(Prior):
    """Independent normal latents, z ~ N(mean, std^2).

    Args:
        mean: Mean of every coordinate, any number.
        std: Standard deviation of every coordinate, at least 0.

    Raises:
        InputError: A number is not finite, or ``std`` is negative.
    """

    def __init__(self, mean: float = 0.0, std: float = 1.0) -> None:
        super().__init__()
        self.std = not_negative(std, "std")
        self.mean = self.center = finite(mean, "mean")

    def sample(
        self,
        n: int,
        latent_dim: int,
        *,
        generator: torch.Generator | None,
        device: torch.device | str,
    ) -> Tensor:
        """Draw latents, shape (n, Z)."""
        z = torch.randn(n, latent_dim, generator=generator, device=device)
        return z.mul_(self.std).add_(self.mean)
