"""The fully connected discriminator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.fourier_features import FourierFeatures
from lightning_gan.layers.heads import LinearHeads, activations, last_logits
from lightning_gan.layers.initialization import Init, initialize
from lightning_gan.layers.judging import Conditioning, JudgedCondition, heads_of
from lightning_gan.layers.reparameterized import WeightNorm, reparameterize
from lightning_gan.layers.sliced_linear import SlicedLinear
from lightning_gan.types import DiscriminatorOutput, not_negative


class MLPDiscriminator(Discriminator):
    """Fully connected layers with LeakyReLU and dropout between them, and one logit.

    The kind of network of Goodfellow et al. 2014, section 5. Labels enter by projection: the inner
    product of the last features and a learned vector of the class is added to the logit (Miyato &
    Koyama 2018, section 3), or as ``conditioning`` says.

    Args:
        sample_shape: Shape of one sample, any number of dimensions, each at least 1.
        hidden: Width of each hidden layer, first to last, each at least 1.
        num_classes: K for a class-conditional discriminator, at least 1; None ignores labels.
        dropout: Probability of zeroing a hidden value while training, in [0, 1).
        slope: Slope of LeakyReLU for negative inputs, at least 0.
        init: How linear layers begin: as torch's do, or with Keras's "glorot_uniform" kernels, or
            "glorot_normal", and biases of 0.
        heads: Linear heads on the last features, name and width, at least 1: "class_logits" for
            classes, or any name by which a term asks for it, such as {"codes": 12}.
        return_features: Whether the output holds the features of all layers, for terms of them.
        outputs: Number of logits of a sample, at least 1; several are features, for ``mmd``.
        sliced: Whether the last layer is a SlicedLinear, for ``slicing``; its direction is that of
            the class where there are classes.
        condition_dim: K where conditions are vectors of K numbers (several labels, measurements),
            at least 1.
        num_tokens: V where conditions are sequences of tokens in 0..V-1, at least 1.
        conditioning: "projection", "concat" (a learned vector beside the sample) or "auxiliary" (a
            second head tells the condition: class logits).
        class_dim: Length of the vector of "concat", and of a sequence's, at least 1.
        weight_norm: How weights are computed: "spectral", "weight" or "equalized"; see the layer
            reparameterized.
        frequencies: Number of random Fourier features that are put beside the input (Tancik et al.
            2020), for points whose density varies over short distances; at least 0, 0 for none.
        frequency_scale: Their standard deviation, in radians for a unit of the input, above 0.

    Raises:
        InputError: A number is out of range, there is more than one condition, or a word is
            unknown.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        hidden: Sequence[int] = (1024, 512, 256),
        num_classes: int | None = None,
        dropout: float = 0.2,
        slope: float = 0.2,
        init: Init = "torch",
        condition_dim: int | None = None,
        num_tokens: int | None = None,
        conditioning: Conditioning = "projection",
        class_dim: int = 32,
        weight_norm: WeightNorm = "none",
        heads: dict[str, int] | None = None,
        return_features: bool = False,
        outputs: int = 1,
        sliced: bool = False,
        frequencies: int = 0,
        frequency_scale: float = 5.0,
    ) -> None:
        super().__init__()
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes
        if min(1, *self.sample_shape, *hidden) < 1:
            raise InputError(
                f"sample_shape and hidden must be positive, got "
                f"sample_shape={self.sample_shape}, hidden={tuple(hidden)}"
            )
        if outputs < 1:
            raise InputError(f"outputs must be at least 1, got {outputs}")
        if class_dim < 1:
            raise InputError(f"class_dim must be at least 1, got {class_dim}")
        not_negative(slope, "slope")
        if not 0 <= dropout < 1:
            raise InputError(f"dropout must lie in [0, 1), got {dropout}")
        if frequencies < 0 or not frequency_scale > 0:
            raise InputError(
                "frequencies must be at least 0 and frequency_scale positive, got "
                f"{frequencies} and {frequency_scale}"
            )
        self.judged = JudgedCondition(
            math.prod(self.sample_shape),
            conditioning,
            num_classes,
            condition_dim,
            num_tokens,
            class_dim,
        )
        widths = [self.judged.channels, *hidden]
        layers: list[nn.Module] = []
        if frequencies > 0:
            features = FourierFeatures(widths[0], frequencies, frequency_scale)
            layers.append(features)
            widths[0] = features.width
        for width, following in pairwise(widths):
            layers += [nn.Linear(width, following), nn.LeakyReLU(slope, inplace=True)]
            if dropout > 0:
                layers.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*layers)
        self.head = SlicedLinear(widths[-1], outputs) if sliced else nn.Linear(widths[-1], outputs)
        self.return_features = return_features
        self.others = LinearHeads(widths[-1], heads_of(self.judged, heads))
        initialize(self, init)
        if self.judged.projects:
            self.classes = self.judged.table(widths[-1], widths[-1] ** -0.5)
        reparameterize(self, weight_norm, tables=True)

    def forward(self, x: Tensor, y: Any = None) -> Tensor | DiscriminatorOutput:
        """Judge samples.

        Args:
            x: Samples, shape (N, *sample_shape).
            y: Class labels, int64 of shape (N,), or another condition, N first; anything for a
                network without one.

        Returns:
            Logits, shape (N,), or (N, outputs) of several; a DiscriminatorOutput of them with
            ``heads``, ``return_features`` or ``sliced``, or with class logits, shape (N, K), of an
            auxiliary head.
        """
        x, c = self.judged.enter(x.flatten(1), y)
        features, maps = activations(self.layers, x, self.return_features)
        classes = self.classes(c) if self.judged.projects else None
        return self.others.joined(last_logits(self.head, features, classes), features, maps)
