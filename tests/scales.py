"""Networks of two heads and of a list of classes, which terms are checked on."""

from __future__ import annotations

import torch
from torch import nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.priors.base import Prior
from lightning_gan.types import DiscriminatorOutput, GeneratorOutput


class Coder(Generator):
    """An image to an image, with by-products."""

    latent_dim, sample_shape, sample_range = 0, (2, None), (0.0, 9.0)

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(2, 2, 1)

    def forward(self, z, y=None):
        h = self.layer(y)
        return GeneratorOutput(9 * h.sigmoid(), {"kl": h.square().mean(), "h": h})

    def decode(self, h):
        return 9 * h.sigmoid()


class Scales(Discriminator):
    """Two scales, with features that are lists of lists and a head for codes."""

    sample_shape = (2, None)

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(2, 3, 1), nn.Conv1d(2, 3, 1, stride=2)])
        self.head = nn.Conv1d(3, 1, 1)

    def forward(self, x, y=None):
        features = [[layer(x).tanh()] for layer in self.layers]
        logits = [self.head(each[-1]) for each in features]
        codes = features[0][0].mean(2)
        return DiscriminatorOutput(logits, features=features, extra={"codes": codes})


def pair():
    return {"networks": (Coder(), Scales()), "y": torch.randn(4, 2, 6)}


class Codes(Prior):
    """Pairs of one-hot codes, refused where they do not fit."""

    def sample(self, n, latent_dim, *, generator, device):
        code = torch.randint(3, (n,), generator=generator, device=device)
        rest = torch.randn(n, latent_dim - 3, generator=generator, device=device)
        return torch.cat([nn.functional.one_hot(code, 3).float(), rest], 1)


class Five(Discriminator):
    sample_shape = (2,)

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 5)

    def forward(self, x, y=None):
        return self.layer(x)


class OfTwo(Generator):
    latent_dim, sample_shape = 3, (2,)

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, z, y=None):
        return self.layer(z)


def named(value):
    return getattr(value, "__name__", "")
