"""The DCGAN discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.pyramid import pyramid
from lightning_gan.types import DiscriminatorOutput


class DCGANDiscriminator(Discriminator):
    """Convolutions of stride 2 with LeakyReLU, and one logit (Radford et al. 2016, section 3).

    The mirror image of the DCGAN generator. Labels enter by projection: the inner product of the
    smallest feature map and a learned one of the class is added to the logit (Miyato & Koyama
    2018, equation 3, without the pooling).

    Weights begin as N(0, 0.02^2) with batch norm, as in section 4. Without it these would shrink
    every signal, and the discriminator would learn late: there they begin as in He et al. 2015.

    Args:
        sample_shape: (C, H, W); H and W multiples of 4.
        base_channels: Channels of the largest feature map.
        num_classes: K for a class-conditional discriminator; None ignores labels.
        norm: "batch" is the paper's batch norm on all but the first convolution. "none" suits
            gradient penalties, whose gradients batch norm would mix between samples.
        slope: Slope of LeakyReLU for negative inputs.
        class_head: Also tell the class from the smallest feature map, with a linear layer of its
            own, for terms that ask for class logits; without ``num_classes`` there are none.

    Raises:
        InputError: The shape does not fit, a size is below 1, or ``norm`` is unknown.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        base_channels: int = 64,
        num_classes: int | None = None,
        norm: Literal["batch", "none"] = "batch",
        slope: float = 0.2,
        class_head: bool = False,
    ) -> None:
        super().__init__()
        if norm not in ("batch", "none"):
            raise InputError(f"norm must be 'batch' or 'none', got {norm!r}")
        sizes = pyramid(sample_shape, base_channels)
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes
        widths = [self.sample_shape[0], *reversed(sizes.channels)]
        layers: list[nn.Module] = []
        for width, following in pairwise(widths):
            normalized = norm == "batch" and bool(layers)
            layers.append(nn.Conv2d(width, following, *sizes.step, bias=not normalized))
            if normalized:
                layers.append(nn.BatchNorm2d(following))
                self.couples_samples = True
            layers.append(nn.LeakyReLU(slope, inplace=True))
        self.layers = nn.Sequential(*layers)
        # The paper's last convolution covers the whole map: a linear layer.
        self.head = nn.Linear(sizes.features, 1)
        for module in self.layers:
            if isinstance(module, nn.Conv2d):
                if norm == "batch":
                    nn.init.normal_(module.weight, std=0.02)
                else:
                    nn.init.kaiming_normal_(module.weight, a=slope)
        std = 0.02 if norm == "batch" else sizes.features**-0.5
        nn.init.normal_(self.head.weight, std=std)
        if num_classes is not None:
            self.classes = ClassEmbedding(num_classes, sizes.features, std=std)
        self.class_head: nn.Linear | None = None
        if class_head and num_classes is not None:
            self.class_head = nn.Linear(sizes.features, num_classes)
            nn.init.normal_(self.class_head.weight, std=std)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, x: Tensor, y: Any = None) -> Tensor | DiscriminatorOutput:
        """Judge images.

        Args:
            x: Images, shape (N, C, H, W).
            y: Class labels, int64 of shape (N,), or anything where ``num_classes`` is None.

        Returns:
            Logits, shape (N,); with class logits, shape (N, K), where there is a ``class_head``.
        """
        features = self.layers(x).flatten(1)
        logits: Tensor = self.head(features).squeeze(1)
        if self.num_classes is not None:
            logits = logits + (features * self.classes(y)).sum(1)
        if self.class_head is None:
            return logits
        return DiscriminatorOutput(logits, self.class_head(features))
