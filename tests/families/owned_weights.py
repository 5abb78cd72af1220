"""Terms with weights of their own: trained by a player, or frozen and from a file."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize, one_hot

from lightning_gan import Generator, Player, Prior, Regularizer


class Coded(Prior):
    """Latents that begin with one of K codes, one-hot."""

    def __init__(self, codes=2):
        super().__init__()
        self.codes = codes

    def sample(self, n, latent_dim, *, generator, device):
        z = super().sample(n, latent_dim, generator=generator, device=device)
        code = torch.randint(self.codes, (n,), generator=generator, device=device)
        return torch.cat([one_hot(code, self.codes).to(z), z[:, self.codes :]], 1)


class InfoGAN(Regularizer):
    """Q reads the code off D's features (Chen et al. 2016, equation 5)."""

    requires = frozenset({"features"})
    trained_by = Player.GENERATOR

    def __init__(self, codes=2, features=8, weight=1.0):
        super().__init__(weight)
        self.codes, self.q = codes, nn.Linear(features, codes)

    def generator(self, step):
        guess = self.q(step.fake_output.features)
        return cross_entropy(guess, step.z[:, : self.codes], reduction="none")

    discriminator = generator  # its trunk learns it as well, Q stays


class Translator(Generator):
    """An image to another, through features that :meth:`encode` returns."""

    latent_dim, channels = 0, 4

    def __init__(self, sample_shape):
        super().__init__()
        self.sample_shape = sample_shape
        self.encode = nn.Conv2d(sample_shape[0], self.channels, 3, padding=1)
        self.decode = nn.Conv2d(self.channels, sample_shape[0], 3, padding=1)

    def forward(self, z, y=None):
        return self.decode(self.encode(y).relu()).tanh()


class PatchNCE(Regularizer):
    """A patch of the output is told by that of the input (Park et al. 2020, equation 4)."""

    requires = frozenset({"encode"})
    trained_by = Player.GENERATOR

    def bind(self, generator, discriminator):
        self.head = nn.Linear(generator.channels, 4)

    def generator(self, step):
        both = [step.generator.encode(x).flatten(2).mT for x in (step.fake, step.y)]
        query, key = (normalize(self.head(x), dim=-1) for x in both)
        similar = query @ key.detach().mT / 0.07
        own = torch.arange(similar.shape[1], device=similar.device).expand(len(similar), -1)
        return cross_entropy(similar.mT, own, reduction="none")


class MINE(Regularizer):
    """T bounds I(x; z) from below, and G raises it (Belghazi et al. 2018, equation 10)."""

    trained_by = Player.DISCRIMINATOR

    def bind(self, generator, discriminator):
        size = math.prod(generator.sample_shape) + generator.latent_dim
        self.t = nn.Sequential(nn.Linear(size, 16), nn.ReLU(), nn.Linear(16, 1))

    def discriminator(self, step):
        x, z = step.fake.flatten(1), step.z
        joint, apart = (self.t(torch.cat([x, other], 1)) for other in (z, z.roll(1, 0)))
        bound = joint.mean() - (apart.flatten().logsumexp(0) - math.log(len(x)))
        step.report("bound", bound)
        return -bound

    generator = discriminator


class Perceptual(Regularizer):
    """Distance in the features of a frozen network, whose weights are in a file."""

    def __init__(self, path, weight=1.0):
        super().__init__(weight)
        self.weights_from = path
        self.net = nn.Conv2d(1, 4, 3).requires_grad_(False)
        self.net.load_state_dict(torch.load(path, weights_only=True))

    def generator(self, step):
        return (self.net(step.fake) - self.net(step.real)).square()
