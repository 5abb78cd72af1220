"""The R3GAN generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.grouped_residual import GroupedResidualBlock, scaled_normal_
from lightning_gan.layers.resampling import Upsample
from lightning_gan.layers.stages import per_stage, stage_sizes


class R3GANGenerator(Generator):
    """Grouped residual blocks without normalisation (R3GAN, Huang et al. 2024, section 3).

    A learned map of the smallest size, each of whose channels a linear function of the latent
    scales, goes through stages of residual blocks. Between two stages a 1x1 convolution changes the
    width, where it changes, and bilinear interpolation doubles the size. A 1x1 convolution makes
    the image, without tanh. Convolutions but those inside the blocks have no bias. The vector of a
    class stands beside the latent. Weights begin as in the authors' published code: N(0, 1 /
    fan_in), the map N(0, 1), class vectors N(0, 1 / K), and the blocks as in Fixup.

    It is made for ``relativistic_paired`` with ``r1`` and ``r2``. The authors' CIFAR-10 network is
    ``widths=[768, 768, 768, 768], blocks=2, cardinality=96``.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W as often even as the image is halved.
        latent_dim: Size Z of a latent, at least 1.
        widths: Channels of each stage, smallest map first, each at least 1: as many stages as
            numbers, and the image is halved once less. One number is for all stages: then the image
            is halved while its sides are even and the halves are 4 or more: 4, 8, 16 and 32 pixels,
            or 7, 14 and 28.
        blocks: Residual blocks of each stage, one number or a list, each at least 1.
        cardinality: Groups of the 3x3 convolutions of each stage, one number or a list, each at
            least 1; it divides ``expansion`` times the stage's width.
        expansion: Channels inside a block, in multiples of its stage's width, at least 1.
        num_classes: K for a class-conditional generator, at least 1; None ignores labels.
        class_dim: Length of a class's vector, at least 1; None: ``latent_dim``.

    Raises:
        InputError: The shape does not fit, a number is below 1, or ``cardinality`` does not divide
            the channels inside a block.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_dim: int = 64,
        widths: Sequence[int] | int = 64,
        blocks: Sequence[int] | int = 1,
        cardinality: Sequence[int] | int = 8,
        expansion: int = 2,
        num_classes: int | None = None,
        class_dim: int | None = None,
    ) -> None:
        super().__init__()
        sizes = stage_sizes(sample_shape, None if isinstance(widths, int) else len(widths))
        stages = len(sizes)
        widths = per_stage(widths, stages, "widths")
        counts = per_stage(blocks, stages, "blocks")
        groups = per_stage(cardinality, stages, "cardinality")
        class_dim = latent_dim if class_dim is None else class_dim
        if min(latent_dim, expansion, class_dim) < 1:
            raise InputError(
                f"latent_dim, expansion and class_dim must be at least 1, got "
                f"latent_dim={latent_dim}, expansion={expansion}, class_dim={class_dim}"
            )
        self.sample_shape = tuple(sample_shape)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        inputs = latent_dim
        if num_classes is not None:
            self.classes = ClassEmbedding(num_classes, class_dim, std=max(1, num_classes) ** -0.5)
            inputs += class_dim
        self.basis = nn.Parameter(torch.randn(widths[0], *sizes[0]))
        self.project = nn.Linear(inputs, widths[0], bias=False)
        scaled_normal_(self.project)
        layers: list[nn.Module] = []
        for stage, width in enumerate(widths):
            if stage > 0:
                if width != widths[stage - 1]:
                    layers.append(nn.Conv2d(widths[stage - 1], width, 1, bias=False))
                    scaled_normal_(layers[-1])  # type: ignore[arg-type]
                layers.append(Upsample())
            for _ in range(counts[stage]):
                layers.append(GroupedResidualBlock(width, groups[stage], expansion, sum(counts)))
        to_image = nn.Conv2d(widths[-1], self.sample_shape[0], 1, bias=False)
        scaled_normal_(to_image)
        self.layers = nn.Sequential(*layers, to_image)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Generate images, about in [-1, 1] after training.

        Args:
            z: Latents, shape (N, Z).
            y: Class labels, int64 of shape (N,), or anything where ``num_classes`` is None.

        Returns:
            Images, shape (N, C, H, W).
        """
        if self.num_classes is not None:
            z = torch.cat([z, self.classes(y)], dim=1)
        images: Tensor = self.layers(self.basis * self.project(z)[:, :, None, None])
        return images
