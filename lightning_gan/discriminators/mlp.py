"""The fully connected discriminator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.fourier_features import FourierFeatures
from lightning_gan.layers.initialization import Init, initialize


class MLPDiscriminator(Discriminator):
    """Fully connected layers with LeakyReLU and dropout between them, and one logit.

    The kind of network of Goodfellow et al. 2014, section 5. Labels enter by projection: the inner
    product of the last features and a learned vector of the class is added to the logit (Miyato &
    Koyama 2018, equation 3).

    Args:
        sample_shape: Shape of one sample, any number of dimensions.
        hidden: Width of each hidden layer, first to last.
        num_classes: K for a class-conditional discriminator; None ignores labels.
        dropout: Probability of zeroing a hidden value while training.
        slope: Slope of LeakyReLU for negative inputs.
        init: How linear layers begin: as torch's do, or with Keras's "glorot_uniform" kernels, or
            "glorot_normal", and biases of 0.
        frequencies: Number of random Fourier features that are put beside the input (Tancik et al.
            2020), for points whose density varies over short distances; 0 for none.
        frequency_scale: Their standard deviation, in radians for a unit of the input.

    Raises:
        InputError: A size is below 1, ``dropout`` lies outside [0, 1), ``init`` is unknown, or
            ``frequencies`` is negative or ``frequency_scale`` not positive.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        hidden: Sequence[int] = (1024, 512, 256),
        num_classes: int | None = None,
        dropout: float = 0.2,
        slope: float = 0.2,
        init: Init = "torch",
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
        if not 0 <= dropout < 1:
            raise InputError(f"dropout must lie in [0, 1), got {dropout}")
        if frequencies < 0 or frequency_scale <= 0:
            raise InputError(
                "frequencies must be at least 0 and frequency_scale positive, got "
                f"{frequencies} and {frequency_scale}"
            )
        widths = [math.prod(self.sample_shape), *hidden]
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
        self.head = nn.Linear(widths[-1], 1)
        initialize(self, init)
        if num_classes is not None:
            self.classes = ClassEmbedding(num_classes, widths[-1], std=widths[-1] ** -0.5)

    def forward(self, x: Tensor, y: Any = None) -> Tensor:
        """Judge samples.

        Args:
            x: Samples, shape (N, *sample_shape).
            y: Class labels, int64 of shape (N,), or anything where ``num_classes`` is None.

        Returns:
            Logits, shape (N,).
        """
        features = self.layers(x.flatten(1))
        logits: Tensor = self.head(features).squeeze(1)
        if self.num_classes is not None:
            logits = logits + (features * self.classes(y)).sum(1)
        return logits
