"""Feature extractors and generators that cost nothing, and answers that are known beforehand."""

from __future__ import annotations

import torch

from lightning_gan import Generator
from lightning_gan.metrics.features import FeatureExtractor, Features


class Pixels(FeatureExtractor):
    """The pixels are the features; the brighter half of the image is its class, 0 or 1."""

    name = "pixels"
    num_classes = 2

    def __init__(self, feature_dim=16):
        super().__init__()
        self.feature_dim = feature_dim
        self.looked_at = 0

    def forward(self, images):
        self.looked_at += len(images)
        halves = images.flatten(1).unflatten(1, (2, -1)).mean(dim=2)
        return Features(images.flatten(1), halves * 20)


class Blind(Pixels):
    """Pixels without classes."""

    num_classes = None

    def forward(self, images):
        return Features(images.flatten(1))


class Halves(Generator):
    """Noise that is brighter in the half that the label names."""

    def __init__(self, num_classes=2, latent_dim=16, sample_shape=(1, 4, 4)):
        super().__init__()
        self.num_classes, self.latent_dim, self.sample_shape = num_classes, latent_dim, sample_shape
        self.scale = torch.nn.Parameter(torch.tensor(0.3))

    def forward(self, z, y=None):
        noise = z.view(-1, *self.sample_shape).clamp(-1, 1) * self.scale
        if y is None:
            return noise
        shift = torch.zeros_like(noise).flatten(1).unflatten(1, (2, -1))
        shift[torch.arange(len(y)), y] = 0.5
        return noise + shift.view_as(noise)
