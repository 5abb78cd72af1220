"""The fully connected generator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.layers.condition import check_word, condition_of
from lightning_gan.layers.initialization import Init, initialize
from lightning_gan.layers.reparameterized import WeightNorm, reparameterize
from lightning_gan.types import not_negative


class MLPGenerator(Generator):
    """Fully connected layers with LeakyReLU between them and tanh at the end.

    The kind of network of Goodfellow et al. 2014, section 5. Labels enter as a learned vector
    beside the latent (Mirza & Osindero 2014, section 3.2), or as ``conditioning`` says.

    Args:
        sample_shape: Shape of one sample, any number of dimensions, each at least 1.
        latent_dim: Size Z of a latent, at least 0; 0 only with ``num_classes``.
        hidden: Width of each hidden layer, first to last, each at least 1.
        num_classes: K for a class-conditional generator, at least 1; None ignores labels.
        class_dim: Length of a class's vector, at least 1.
        slope: Slope of LeakyReLU for negative inputs, at least 0.
        norm: "batch" normalizes what each LeakyReLU returns (Ioffe & Szegedy 2015).
        norm_momentum: Share of a batch in the running statistics, in [0, 1]; Keras counts the other
            share.
        norm_eps: What is added to the variance, at least 0.
        init: How linear layers begin: as torch's do, or with Keras's "glorot_uniform" kernels, or
            "glorot_normal", and biases of 0.
        condition_dim: K where conditions are vectors of K numbers (several labels, measurements),
            at least 1.
        num_tokens: V where conditions are sequences of tokens in 0..V-1, at least 1.
        conditioning: Whether the condition's vector stands beside the latent ("concat") or is
            multiplied with it ("product").
        weight_norm: How weights are computed: "spectral", "weight" or "equalized"; see the layer
            reparameterized.

    Raises:
        InputError: A number is out of range, there is neither a latent nor a label, there is more
            than one condition, or a word is unknown.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_dim: int = 64,
        hidden: Sequence[int] = (256, 512, 1024),
        num_classes: int | None = None,
        class_dim: int = 32,
        slope: float = 0.2,
        norm: Literal["none", "batch"] = "none",
        norm_momentum: float = 0.1,
        norm_eps: float = 1e-5,
        init: Init = "torch",
        condition_dim: int | None = None,
        num_tokens: int | None = None,
        conditioning: Literal["concat", "product"] = "concat",
        weight_norm: WeightNorm = "none",
    ) -> None:
        super().__init__()
        check_word("conditioning", conditioning, ("concat", "product"))
        if norm not in ("none", "batch"):
            raise InputError(f"norm must be 'none' or 'batch', got {norm!r}")
        if class_dim < 1:
            raise InputError(f"class_dim must be at least 1, got {class_dim}")
        if not 0 <= norm_momentum <= 1:
            raise InputError(f"norm_momentum must lie in [0, 1], got {norm_momentum}")
        not_negative(norm_eps, "norm_eps")
        not_negative(slope, "slope")
        self.sample_shape = tuple(sample_shape)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        inputs = latent_dim
        self.conditioning = conditioning
        self.condition = condition_of(num_classes, condition_dim, num_tokens, class_dim)
        if self.condition is not None and conditioning == "concat":
            self.classes = self.condition.table(class_dim)
            inputs += class_dim
        if latent_dim < 0 or min(inputs, *self.sample_shape, *hidden) < 1:
            raise InputError(
                "sample_shape and hidden must be positive, and so must latent_dim unless there "
                f"is num_classes; got sample_shape={self.sample_shape}, hidden={tuple(hidden)}, "
                f"latent_dim={latent_dim}, num_classes={num_classes}"
            )
        if self.condition is not None and conditioning == "product":
            self.classes = self.condition.table(latent_dim)
        widths = [inputs, *hidden]
        layers: list[nn.Module] = []
        for width, following in pairwise(widths):
            layers += [nn.Linear(width, following), nn.LeakyReLU(slope, inplace=True)]
            if norm == "batch":
                layers.append(nn.BatchNorm1d(following, norm_eps, norm_momentum))
        layers += [nn.Linear(widths[-1], math.prod(self.sample_shape)), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        initialize(self.layers, init)
        reparameterize(self, weight_norm)

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Generate samples in [-1, 1].

        Args:
            z: Latents, shape (N, Z).
            y: Class labels, int64 of shape (N,), or another condition, N first; anything for a
                network without one.

        Returns:
            Samples, shape (N, *sample_shape).
        """
        if self.condition is not None:
            vectors = self.classes(self.condition(y, z))
            product = self.conditioning == "product"
            z = z * vectors if product else torch.cat([z, vectors], dim=1)
        samples: Tensor = self.layers(z)
        return samples.reshape(-1, *self.sample_shape)
