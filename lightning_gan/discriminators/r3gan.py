"""The R3GAN discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.grouped_residual import GroupedResidualBlock, scaled_normal_
from lightning_gan.layers.resampling import Downsample
from lightning_gan.layers.stages import per_stage, stage_sizes


class R3GANDiscriminator(Discriminator):
    r"""Grouped residual blocks without normalisation (R3GAN, Huang et al. 2024, section 3).

    The mirror image of the R3GAN generator. A 1x1 convolution reads the image. Each stage has
    residual blocks, then bilinear interpolation halves the map and a 1x1 convolution changes the
    width, where it changes. At the end a kernel of the smallest map's size for each channel by
    itself makes one number of it, and a linear layer the logit. Convolutions but those inside the
    blocks have no bias. With classes, that layer makes a vector instead, and the logit is its inner
    product with a learned one of the class (projection, Miyato & Koyama 2018). Weights begin as in
    the authors' published code: N(0, 1 / fan_in), class vectors of E numbers N(0, 1 / (E K)), and
    the blocks as in Fixup.

    The authors' CIFAR-10 network is ``widths=[768, 768, 768, 768], blocks=2, cardinality=96``.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W as often even as the image is halved.
        widths: Channels of each stage, smallest map first, each at least 1, as the generator's: as
            many stages as numbers, and the image is halved once less. One number is for all stages:
            then the image is halved while its sides are even and the halves are 4 or more.
        blocks: Residual blocks of each stage, one number or a list, each at least 1.
        cardinality: Groups of the 3x3 convolutions of each stage, one number or a list, each at
            least 1; it divides ``expansion`` times the stage's width.
        expansion: Channels inside a block, in multiples of its stage's width, at least 1.
        num_classes: K for a class-conditional discriminator, at least 1; None ignores labels.
        class_dim: E, the length of a class's vector, at least 1; None: the width of the smallest
            map.

    Raises:
        InputError: The shape does not fit, a number is below 1, or ``cardinality`` does not divide
            the channels inside a block.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
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
        class_dim = widths[0] if class_dim is None else class_dim
        if min(expansion, class_dim) < 1:
            raise InputError(
                f"expansion and class_dim must be at least 1, got expansion={expansion}, "
                f"class_dim={class_dim}"
            )
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes
        from_image = nn.Conv2d(self.sample_shape[0], widths[-1], 1, bias=False)
        scaled_normal_(from_image)
        layers: list[nn.Module] = [from_image]
        for stage in reversed(range(stages)):
            width = widths[stage]
            for _ in range(counts[stage]):
                layers.append(GroupedResidualBlock(width, groups[stage], expansion, sum(counts)))
            if stage > 0:
                layers.append(Downsample())
                if width != widths[stage - 1]:
                    layers.append(nn.Conv2d(width, widths[stage - 1], 1, bias=False))
                    scaled_normal_(layers[-1])  # type: ignore[arg-type]
        basis = nn.Conv2d(widths[0], widths[0], sizes[0], groups=widths[0], bias=False)
        scaled_normal_(basis)
        self.layers = nn.Sequential(*layers, basis)
        self.head = nn.Linear(widths[0], 1 if num_classes is None else class_dim, bias=False)
        scaled_normal_(self.head)
        if num_classes is not None:
            std = (class_dim * max(1, num_classes)) ** -0.5
            self.classes = ClassEmbedding(num_classes, class_dim, std=std)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, x: Tensor, y: Any = None) -> Tensor:
        """Judge images.

        Args:
            x: Images, shape (N, C, H, W).
            y: Class labels, int64 of shape (N,), or anything where ``num_classes`` is None.

        Returns:
            Logits, shape (N,).
        """
        said: Tensor = self.head(self.layers(x).flatten(1))
        return said.squeeze(1) if self.num_classes is None else (said * self.classes(y)).sum(1)
