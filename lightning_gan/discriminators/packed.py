"""PacGAN: a discriminator that judges several samples at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.types import DiscriminatorOutput


class PackedDiscriminator(Discriminator):
    r"""m samples stacked along their first dimension and judged as one (PacGAN, Lin et al. 2018).

    :math:`D(x_1, \ldots, x_m)` is any discriminator whose samples have m times the channels: it
    sees a lack of variety that no single sample shows (their theorems). Neighbors in the batch
    make a pack, so N samples have N/m logits; where m does not divide N, the last pack is filled up
    with the first samples. Losses take means over logits, and see nothing of it. Gradient penalties
    such as R1 are means over samples, m times less than means over packs: :math:`\lVert \nabla_x D
    \rVert^2` of a pack is the sum over its samples. A penalty of the norm itself (WGAN-GP) acts on
    single samples.

    Args:
        discriminator: D, for samples (m * C, ...) and without a condition: real and fake packs
            would mix classes.
        packing: m, the samples of a pack, at least 1; it must divide the channels of D's samples.

    Raises:
        InputError: ``packing`` is below 1, does not divide the channels, or D takes classes.

    Example:
        >>> from lightning_gan import create_discriminator
        >>> pair = create_discriminator("mlp", sample_shape=(2, 8, 8))
        >>> packed = create_discriminator("packed", discriminator=pair, packing=2)
        >>> packed.sample_shape, packed(torch.zeros(6, 1, 8, 8)).shape
        ((1, 8, 8), torch.Size([3]))

        lightning-gan fit data.labels=false discriminator=packed \
            model.discriminator.discriminator.class_path=dcgan \
            model.discriminator.discriminator.sample_shape=[2,8,8]
    """

    couples_samples = True

    def __init__(self, discriminator: Discriminator, packing: int = 2) -> None:
        super().__init__()
        if packing < 1:
            raise InputError(f"packing must be at least 1, got {packing}")
        shape = discriminator.sample_shape
        if not shape or shape[0] is None or shape[0] % packing:
            raise InputError(
                f"packing={packing} needs a discriminator whose samples have a multiple of "
                f"{packing} channels, got sample_shape={shape}: give it {packing} times those of "
                "the data"
            )
        if discriminator.num_classes is not None:
            raise InputError(
                "a packed discriminator takes no condition, got one with num_classes="
                f"{discriminator.num_classes}: set it to null"
            )
        self.discriminator = discriminator
        self.packing = packing
        self.sample_shape = (shape[0] // packing, *shape[1:])

    def forward(self, x: Tensor, y: Any = None) -> Tensor | Sequence[Tensor] | DiscriminatorOutput:
        """Judge packs of samples.

        Args:
            x: Samples, shape (N, C, ...).
            y: Ignored.

        Returns:
            What the discriminator says of the packs, N/m first, rounded up.
        """
        missing = -len(x) % self.packing
        if missing:
            filling = torch.arange(missing, device=x.device) % len(x)
            x = torch.cat([x, x[filling]])
        return self.discriminator(x.reshape(-1, self.packing * x.shape[1], *x.shape[2:]))  # type: ignore[no-any-return]
