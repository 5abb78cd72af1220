"""Networks of a layer or two, and one that counts the passes of another."""

from __future__ import annotations

import math

from torch import nn

from lightning_gan import Discriminator, DiscriminatorOutput, create_generator

SHAPE = (1, 4, 4)
LATENT = 3


def generator(sample_shape=SHAPE, **arguments):
    return create_generator(
        "mlp", sample_shape=sample_shape, latent_dim=LATENT, hidden=(8,), **arguments
    )


class TinyDiscriminator(Discriminator):
    """Logits of any number, and the features under them."""

    def __init__(self, sample_shape=SHAPE, logits=1):
        super().__init__()
        self.sample_shape = sample_shape
        size = math.prod(sample_shape)
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(size, 8), nn.LeakyReLU(0.2))
        self.head = nn.Linear(8, logits)

    def forward(self, x, y=None):
        features = self.trunk(x)
        return DiscriminatorOutput(self.head(features), features=features)


class Counting(Discriminator):
    """Counts the passes of the discriminator that it wraps."""

    def __init__(self, network):
        super().__init__()
        self.network, self.passes = network, 0
        self.sample_shape, self.num_classes = network.sample_shape, network.num_classes

    def forward(self, x, y=None):
        self.passes += 1
        return self.network(x, y)
