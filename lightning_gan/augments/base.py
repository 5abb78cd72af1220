"""The contract of augmentations."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.components.part import Part


class Augment(Part):
    """Changes samples before the discriminator sees them. The base class itself: the identity.

    The same call serves real samples and fakes. It keeps the shape, is differentiable twice, and
    takes its randomness from torch's global generators.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Augment samples.

        Args:
            x: Samples, shape (N, *sample_shape); images in [-1, 1].

        Returns:
            Samples of the same shape.
        """
        return x
