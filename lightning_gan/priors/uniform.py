"""Uniform latents."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.priors.base import Prior
from lightning_gan.types import finite


class UniformPrior(Prior):
    """Independent uniform latents, z ~ U(low, high).

    Args:
        low: Lower end, included, any number.
        high: Upper end, any number above ``low``.

    Raises:
        InputError: A number is not finite, or ``low`` is not below ``high``.
    """

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        super().__init__()
        if not finite(low, "low") < finite(high, "high"):
            raise InputError(f"low must be below high, got {low} and {high}")
        self.low = low
        self.high = high
        self.center = (low + high) / 2

    def sample(
        self,
        n: int,
        latent_dim: int,
        *,
        generator: torch.Generator | None,
        device: torch.device | str,
    ) -> Tensor:
        """Draw latents, shape (n, Z)."""
        z = torch.rand(n, latent_dim, generator=generator, device=device)
        return z.mul_(self.high - self.low).add_(self.low)
