"""The AC-GAN generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.initialization import glorot_normal_, initialize
from lightning_gan.layers.quarter import quarter
from lightning_gan.layers.same_padding import SameConvTranspose2d

# Keras's defaults; torch's are 1e-5 and 0.1, the share of the new statistics (Keras: of the old).
EPS, MOMENTUM = 1e-3, 0.01


class ACGANGenerator(Generator):
    """Three transposed 5x5 convolutions, conditional on classes by a product with the latent.

    A small relative of the network of Odena et al. 2017, appendix A, known from Keras's example
    for MNIST. A learned vector of the class multiplies the latent elementwise. A linear layer makes
    a map four pixels smaller than a quarter of the image (1x1 at least), the first convolution,
    without padding, a quarter, and the other two, of stride 2, the image: 3, 7, 14 and 28 pixels.
    ReLU, then batch norm, follow each but the last, tanh that one. Kernels and class vectors begin
    as Glorot normal, biases at 0, and batch norm averages as Keras's does (momentum 0.99).

    Args:
        sample_shape: (C, H, W), each at least 1; H and W multiples of 4.
        latent_dim: Size Z of a latent, at least 1, and length of a class's vector.
        base_channels: Channels of the largest feature map, at least 1; the smaller ones have 2 and
            4 times as many.
        num_classes: K for a class-conditional generator, at least 1; None ignores labels.

    Raises:
        InputError: The shape does not fit, or a size is below 1.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        latent_dim: int = 100,
        base_channels: int = 96,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        height, width = quarter(sample_shape, base_channels)
        if latent_dim < 1:
            raise InputError(f"latent_dim must be at least 1, got {latent_dim}")
        self.sample_shape = tuple(sample_shape)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        top, left = max(height - 4, 1), max(width - 4, 1)
        kernel = (height - top + 1, width - left + 1)
        wide, middle = 4 * base_channels, 2 * base_channels
        self.project = nn.Sequential(nn.Linear(latent_dim, wide * top * left), nn.ReLU())
        self.smallest = (wide, top, left)
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(wide, middle, kernel),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(middle, EPS, MOMENTUM),
            SameConvTranspose2d(middle, base_channels, 5, stride=2),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(base_channels, EPS, MOMENTUM),
            SameConvTranspose2d(base_channels, self.sample_shape[0], 5, stride=2),
            nn.Tanh(),
        )
        initialize(self, "glorot_normal")
        if num_classes is not None:
            self.classes = ClassEmbedding(num_classes, latent_dim)
            glorot_normal_(self.classes.weight)

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Generate images in [-1, 1].

        Args:
            z: Latents, shape (N, Z).
            y: Class labels, int64 of shape (N,), or anything where ``num_classes`` is None.

        Returns:
            Images, shape (N, C, H, W).
        """
        if self.num_classes is not None:
            z = z * self.classes(y)
        images: Tensor = self.layers(self.project(z).reshape(-1, *self.smallest))
        return images
