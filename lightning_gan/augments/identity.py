"""No augmentation."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.augments.base import Augment


class IdentityAugment(Augment):
    """Leaves samples as they are."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` itself, shape (N, *sample_shape)."""
        return x
