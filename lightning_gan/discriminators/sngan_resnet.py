"""The residual discriminator of SNGAN, with self-attention that of SAGAN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.judging import Conditioning, JudgedCondition
from lightning_gan.layers.reparameterized import WeightNorm, reparameterize
from lightning_gan.layers.residual import initialize_residual
from lightning_gan.layers.residual_plan import (
    check_width,
    doublings,
    down_blocks,
    is_small,
    widening,
)
from lightning_gan.types import DiscriminatorOutput

SMALLEST = 3


class SNGANResNetDiscriminator(Discriminator):
    """Residual blocks with spectral norm and projection (Miyato et al. 2018, tables 4 to 6; SAGAN).

    Up to 32 pixels a side there are at most two blocks that halve the map, to 8x8 or 7x7, and two
    that do not, all of ``base_channels`` (table 4: 128). Above, blocks halve it to 3 or more pixels
    and double the channels from ``base_channels`` (64 in table 5 for 48 and table 6 for 128) to at
    most 16 times as many; a last one does not halve. ReLU and the sum over the map follow, and one
    logit. With ``attention=32`` this is the discriminator of SAGAN for 128 pixels (Zhang et al.
    2019). First weights are Glorot uniform, those of 3x3 convolutions in blocks times sqrt(2), as
    in the authors' code.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4, from 8 on.
        base_channels: Width, at least 1; None: that of the paper, 128 up to 32 pixels and 64 above.
        num_classes: K for a class-conditional discriminator, at least 1; None ignores labels.
        condition_dim: K where conditions are vectors of K numbers (several labels, measurements),
            at least 1.
        num_tokens: V where conditions are sequences of tokens in 0..V-1, at least 1.
        conditioning: "projection" (Miyato & Koyama 2018), "concat" (as channels of the image) or
            "auxiliary" (a second head tells it: class logits).
        class_dim: Length of the vector of "concat", and of a sequence's, at least 1.
        attention: Height of the map that attends to itself, at least 1 and one that there is; None:
            none does.
        weight_norm: How weights are computed: "none", "weight" or "equalized" in place of
            "spectral".
        heads: Further linear heads on the pooled features, name and width, at least 1, such as
            {"codes": 12}.

    Raises:
        InputError: The shape does not fit, a number is out of range, a word is unknown, or there is
            more than one condition.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        base_channels: int | None = None,
        num_classes: int | None = None,
        condition_dim: int | None = None,
        num_tokens: int | None = None,
        conditioning: Conditioning = "projection",
        class_dim: int = 128,
        attention: int | None = None,
        weight_norm: WeightNorm = "spectral",
        heads: dict[str, int] | None = None,
    ) -> None:
        super().__init__()
        _, _, levels = doublings(sample_shape)
        small = is_small(sample_shape)
        if base_channels is None:
            base_channels = 128 if small else 64
        check_width(base_channels)
        if class_dim < 1:
            raise InputError(f"class_dim must be at least 1, got {class_dim}")
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes
        channels, height, width = self.sample_shape
        self.judged = JudgedCondition(
            channels, conditioning, num_classes, condition_dim, num_tokens, class_dim
        )
        halvings = min(levels, 2)
        widths = [base_channels] * (halvings + 2)
        if not small:
            halvings = 0
            while height % 2 == width % 2 == 0 and min(height, width) >= 2 * SMALLEST:
                height, width, halvings = height // 2, width // 2, halvings + 1
            widths = widening(base_channels, halvings + 1)
        self.blocks = down_blocks(
            self.judged.channels, self.sample_shape[1], widths, halvings, False, attention
        )
        self.verdict = self.judged.verdict(widths[-1], heads)
        initialize_residual(self)
        reparameterize(self, weight_norm, tables=True)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Judge images.

        Args:
            x: Images, shape (N, C, H, W).
            y: The condition, N first, or anything for a network without one.

        Returns:
            Logits, shape (N,), the pooled features, shape (N, F), and class logits, shape (N, K),
            of an auxiliary head.
        """
        x, c = self.judged.enter(x, y)
        output: DiscriminatorOutput = self.verdict(self.blocks(x), c)
        return output
