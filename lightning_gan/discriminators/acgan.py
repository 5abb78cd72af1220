"""The AC-GAN discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.heads import LinearHeads, activations
from lightning_gan.layers.initialization import initialize
from lightning_gan.layers.quarter import quarter
from lightning_gan.layers.same_padding import SameConv2d
from lightning_gan.types import DiscriminatorOutput, not_negative


class ACGANDiscriminator(Discriminator):
    """Four 3x3 convolutions, a head that tells real from fake and one that tells the class.

    A small relative of the network of Odena et al. 2017, appendix A, known from Keras's example
    for MNIST. Strides are 2, 1, 2, 1, with Keras's "same" padding; LeakyReLU and dropout follow
    each. Labels are no input: train the class head with the regularizer ``auxiliary_classifier``.
    Kernels begin as Glorot uniform and biases at 0, Keras's defaults.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4.
        base_channels: Channels of the first feature map, at least 1; each convolution doubles them.
        num_classes: K, at least 1; None for a discriminator without the class head.
        dropout: Probability of zeroing a value while training, in [0, 1).
        slope: Slope of LeakyReLU for negative inputs, at least 0.
        heads: Further linear heads on the last features, name and width, at least 1:
            {"twin_class_logits": 10} for the regularizer ``twin_auxiliary_classifier``.
        return_features: Whether the output holds the features of all layers, for terms of them.

    Raises:
        InputError: The shape does not fit, or a number is out of range.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        base_channels: int = 32,
        num_classes: int | None = None,
        dropout: float = 0.3,
        slope: float = 0.2,
        heads: dict[str, int] | None = None,
        return_features: bool = False,
    ) -> None:
        super().__init__()
        height, width = quarter(sample_shape, base_channels)
        if not 0 <= dropout < 1:
            raise InputError(f"dropout must lie in [0, 1), got {dropout}")
        if num_classes is not None and num_classes < 1:
            raise InputError(f"num_classes must be at least 1 or None, got {num_classes}")
        not_negative(slope, "slope")
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes
        widths = [self.sample_shape[0], *(base_channels * 2**level for level in range(4))]
        layers: list[nn.Module] = []
        for stride, (channels, following) in zip((2, 1, 2, 1), pairwise(widths), strict=True):
            layers.append(SameConv2d(channels, following, 3, stride))
            layers += [nn.LeakyReLU(slope, inplace=True), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        features = widths[-1] * height * width
        self.head = nn.Linear(features, 1)
        self.class_head = None if num_classes is None else nn.Linear(features, num_classes)
        self.return_features = return_features
        if num_classes is not None and "class_logits" in (heads or {}):
            raise InputError("acgan has class_logits of its own with num_classes: leave one out")
        self.others = LinearHeads(features, heads)
        initialize(self, "glorot_uniform")

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Judge images, whatever their labels.

        Args:
            x: Images, shape (N, C, H, W).
            y: Ignored.

        Returns:
            Logits, shape (N,), class logits, shape (N, K), where ``num_classes`` is set, and what
            further heads say.
        """
        features, maps = activations(self.layers, x, self.return_features)
        said = self.others(features) if len(self.others) else {}
        if self.class_head is not None:
            said["class_logits"] = self.class_head(features)
        class_logits = said.pop("class_logits", None)
        return DiscriminatorOutput(self.head(features).squeeze(1), class_logits, maps, said)
