"""The discriminator of BigGAN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.judging import Conditioning, JudgedCondition
from lightning_gan.layers.reparameterized import WeightNorm, reparameterize
from lightning_gan.layers.residual import initialize_orthogonal
from lightning_gan.layers.residual_plan import (
    check_width,
    doublings,
    down_blocks,
    is_small,
    widening,
)
from lightning_gan.types import DiscriminatorOutput

SMALL_WIDTH = 4  # times base_channels


class BigGANDiscriminator(Discriminator):
    """Residual blocks with spectral norm, orthogonal weights and projection (Brock et al. 2019).

    Above 32 pixels a side, blocks halve the map to 4 pixels or more and double the channels from
    ``base_channels`` to 16 times as many; a last one does not halve (appendix B, table 4). Up to 32
    pixels two blocks halve, two do not, and all have 4 times ``base_channels``, as the PyTorch code
    of one of the authors has it for CIFAR. ReLU and the sum over the map follow, and one logit.
    With ``base_channels=96``, ``attention=64`` and 1,000 classes at 128 pixels it has 87,982,370
    parameters, as compare_gan's.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4, from 8 on.
        base_channels: Width ch, at least 1.
        num_classes: K for a class-conditional discriminator, at least 1; None ignores labels.
        condition_dim: K where conditions are vectors of K numbers (several labels, measurements),
            at least 1.
        num_tokens: V where conditions are sequences of tokens in 0..V-1, at least 1.
        conditioning: "projection" (the paper's), "concat" (as channels of the image) or "auxiliary"
            (a second head tells it: class logits).
        class_dim: Length of the vector of "concat", and of a sequence's, at least 1.
        attention: Height of the map that attends to itself (64 in the paper), at least 1 and one
            that there is; None: none does.
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
        base_channels: int = 96,
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
        check_width(base_channels)
        if class_dim < 1:
            raise InputError(f"class_dim must be at least 1, got {class_dim}")
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes
        self.judged = JudgedCondition(
            self.sample_shape[0], conditioning, num_classes, condition_dim, num_tokens, class_dim
        )
        halvings, widths = levels, widening(base_channels, levels + 1)
        if is_small(sample_shape):
            halvings = min(levels, 2)
            widths = [SMALL_WIDTH * base_channels] * (halvings + 2)
        self.blocks = down_blocks(
            self.judged.channels, self.sample_shape[1], widths, halvings, True, attention
        )
        self.verdict = self.judged.verdict(widths[-1], heads)
        initialize_orthogonal(self)
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
