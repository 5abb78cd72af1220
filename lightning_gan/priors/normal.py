"""Normal latents."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.priors.base import Prior


class NormalPrior(Prior):
    """Independent normal latents, z ~ N(mean, std^2).

    Args:
        mean: Mean of every coordinate, any number.
        std: Standard deviation of every coordinate, at least 0.

    Raises:
        InputError: ``std`` is negative.
    """

    def __init__(self, mean: float = 0.0, std: float = 1.0) -> None:
        super().__init__()
        if std < 0:
            raise InputError(f"std must not be negative, got {std}")
        self.mean = mean
        self.std = std
        self.center = mean

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
