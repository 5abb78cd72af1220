"""The DCGAN discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.heads import LinearHeads, activations, last_logits
from lightning_gan.layers.judging import Conditioning, JudgedCondition, heads_of
from lightning_gan.layers.pyramid import pyramid
from lightning_gan.layers.reparameterized import WeightNorm, reparameterize
from lightning_gan.layers.sliced_linear import SlicedLinear
from lightning_gan.types import DiscriminatorOutput, not_negative


class DCGANDiscriminator(Discriminator):
    """Convolutions of stride 2 with LeakyReLU, and one logit (Radford et al. 2016, section 3).

    The mirror image of the DCGAN generator. Labels enter by projection: the inner product of the
    smallest feature map and a learned one of the class is added to the logit (Miyato & Koyama
    2018, section 3, without the pooling), or as ``conditioning`` says.

    Weights begin as N(0, 0.02^2) with batch norm, as in section 4. Without it these would shrink
    every signal, and the discriminator would learn late: there they begin as in He et al. 2015.

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4.
        base_channels: Channels of the largest feature map, at least 1.
        num_classes: K for a class-conditional discriminator, at least 1; None ignores labels.
        norm: "batch" is the paper's batch norm on all but the first convolution. "none" suits
            gradient penalties, whose gradients batch norm would mix between samples.
        slope: Slope of LeakyReLU for negative inputs, at least 0.
        heads: Linear heads on the last features, name and width, at least 1: "class_logits" for
            classes, or any name by which a term asks for it, such as {"codes": 12}.
        return_features: Whether the output holds the features of all layers, for terms of them.
        outputs: Number of logits of a sample, at least 1; several are features, for ``mmd``.
        sliced: Whether the last layer is a SlicedLinear, for ``slicing``; its direction is that of
            the class where there are classes.
        condition_dim: K where conditions are vectors of K numbers (several labels, measurements),
            at least 1.
        num_tokens: V where conditions are sequences of tokens in 0..V-1, at least 1.
        conditioning: "projection", "concat" (a learned vector as channels of the image) or
            "auxiliary" (a second head tells the condition: class logits).
        class_dim: Length of the vector of "concat", and of a sequence's, at least 1.
        weight_norm: How weights are computed: "spectral", "weight" or "equalized"; see the layer
            reparameterized.

    Raises:
        InputError: The shape does not fit, a number is out of range, there is more than one
            condition, or a word is unknown.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        base_channels: int = 64,
        num_classes: int | None = None,
        norm: Literal["batch", "none"] = "batch",
        slope: float = 0.2,
        condition_dim: int | None = None,
        num_tokens: int | None = None,
        conditioning: Conditioning = "projection",
        class_dim: int = 32,
        weight_norm: WeightNorm = "none",
        heads: dict[str, int] | None = None,
        return_features: bool = False,
        outputs: int = 1,
        sliced: bool = False,
    ) -> None:
        super().__init__()
        if norm not in ("batch", "none"):
            raise InputError(f"norm must be 'batch' or 'none', got {norm!r}")
        if outputs < 1:
            raise InputError(f"outputs must be at least 1, got {outputs}")
        if class_dim < 1:
            raise InputError(f"class_dim must be at least 1, got {class_dim}")
        not_negative(slope, "slope")
        sizes = pyramid(sample_shape, base_channels)
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes
        self.judged = JudgedCondition(
            self.sample_shape[0], conditioning, num_classes, condition_dim, num_tokens, class_dim
        )
        widths = [self.judged.channels, *reversed(sizes.channels)]
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
        head = SlicedLinear if sliced else nn.Linear
        self.head = head(sizes.features, outputs)
        for module in self.layers:
            if isinstance(module, nn.Conv2d):
                if norm == "batch":
                    nn.init.normal_(module.weight, std=0.02)
                else:
                    nn.init.kaiming_normal_(module.weight, a=slope)
        std = 0.02 if norm == "batch" else sizes.features**-0.5
        nn.init.normal_(self.head.weight, std=std)
        if isinstance(self.head, SlicedLinear):
            self.head.rescale()
        if self.judged.projects:
            self.classes = self.judged.table(sizes.features, std)
        self.return_features = return_features
        self.others = LinearHeads(sizes.features, heads_of(self.judged, heads))
        for layer in self.others.values():
            assert isinstance(layer, nn.Linear)
            nn.init.normal_(layer.weight, std=std)
        reparameterize(self, weight_norm, tables=True)
        self.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in

    def forward(self, x: Tensor, y: Any = None) -> Tensor | DiscriminatorOutput:
        """Judge images.

        Args:
            x: Images, shape (N, C, H, W).
            y: Class labels, int64 of shape (N,), or another condition, N first; anything for a
                network without one.

        Returns:
            Logits, shape (N,), or (N, outputs) of several; a DiscriminatorOutput of them with
            ``heads``, ``return_features`` or ``sliced``, or with class logits, shape (N, K), of an
            auxiliary head.
        """
        x, c = self.judged.enter(x, y)
        features, maps = activations(self.layers, x, self.return_features)
        features = features.flatten(1)
        classes = self.classes(c) if self.judged.projects else None
        return self.others.joined(last_logits(self.head, features, classes), features, maps)
