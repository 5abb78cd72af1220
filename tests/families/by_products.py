"""Generators that return more than samples, and the terms that read it."""

from __future__ import annotations

import math

import torch
from tiny_networks import SHAPE
from torch import nn
from torch.nn.functional import embedding, mse_loss, one_hot

from lightning_gan import Generator, GeneratorOutput, Player, Regularizer


class VQAutoencoder(Generator):
    """Its input is the condition (van den Oord et al. 2017, equation 3)."""

    latent_dim = 0

    def __init__(self, sample_shape=SHAPE, codes=8, size=2):
        super().__init__()
        self.sample_shape, self.size = sample_shape, size
        pixels = math.prod(sample_shape)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 4 * size))
        self.codes = nn.Parameter(torch.randn(codes, size))
        self.decoder = nn.Linear(4 * size, pixels)

    def forward(self, z, y=None):
        parts = self.encoder(y).unflatten(1, (-1, self.size))
        chosen = torch.cdist(parts, self.codes).argmin(-1)
        codes = embedding(chosen, self.codes)
        extra = {"commitment": mse_loss(parts, codes.detach()), **self.learn(parts, chosen, codes)}
        straight = parts + (codes - parts).detach()
        return GeneratorOutput(
            self.decoder(straight.flatten(1)).tanh().view(-1, *self.sample_shape), extra
        )

    def learn(self, parts, chosen, codes):
        return {"codebook": mse_loss(codes, parts.detach())}


class EMAVQAutoencoder(VQAutoencoder):
    """Codes are running means of what they stand for (the same, appendix A.1)."""

    def __init__(self, sample_shape=SHAPE, codes=8, size=2):
        super().__init__(sample_shape, codes, size)
        first = self.codes.detach()
        del self.codes
        self.register_buffer("codes", first)
        self.register_buffer("sums", first.clone())
        self.register_buffer("counts", torch.ones(codes))

    @torch.no_grad()
    def learn(self, parts, chosen, codes):
        if self.training:
            hot = one_hot(chosen.flatten(), len(self.codes)).to(self.counts)
            self.counts.lerp_(hot.sum(0), 0.1)
            self.sums.lerp_((hot.T @ parts.flatten(0, 1)).to(self.sums), 0.1)
            self.codes.copy_(self.sums / self.counts[:, None].clamp(min=1e-5))
        return {}


class Codes(Regularizer):
    """The terms that a quantizer computed with its samples."""

    requires = frozenset({"commitment"})

    def generator(self, step):
        extra = step.generator_output.extra
        return {name: extra[name] for name in ("codebook", "commitment") if name in extra}


class VAE(Generator):
    """Encodes the sample that it gets, with z as the noise; without one it decodes z."""

    def __init__(self, sample_shape=SHAPE, latent_dim=3):
        super().__init__()
        self.sample_shape, self.latent_dim = sample_shape, latent_dim
        pixels = math.prod(sample_shape)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 2 * latent_dim))
        self.decoder = nn.Sequential(nn.Linear(latent_dim, pixels), nn.Tanh())

    def forward(self, z, y=None):
        if y is None:
            return self.decoder(z).view(-1, *self.sample_shape)
        mean, logvar = self.encoder(y).chunk(2, 1)
        samples = self.decoder(mean + (logvar / 2).exp() * z).view(-1, *self.sample_shape)
        return GeneratorOutput(samples, {"mean": mean, "logvar": logvar})


class KL(Regularizer):
    """Divergence of the code from the prior (Kingma & Welling 2014, appendix B)."""

    def generator(self, step):
        mean, logvar = (step.generator_output.extra[name] for name in ("mean", "logvar"))
        return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(1)


class Dissimilarity(Regularizer):
    """Distance in the features of D (Larsen et al. 2016, equation 7)."""

    requires = frozenset({"features"})

    def generator(self, step):
        return (step.fake_output.features - step.real_output.features.detach()).square()


class MappingGenerator(Generator):
    """Latents to styles w, and styles to samples."""

    def __init__(self, sample_shape=SHAPE, latent_dim=3):
        super().__init__()
        self.sample_shape, self.latent_dim = sample_shape, latent_dim
        self.mapping = nn.Sequential(nn.Linear(latent_dim, 4), nn.LeakyReLU(0.2))
        self.synthesis = nn.Sequential(nn.Linear(4, math.prod(sample_shape)), nn.Tanh())

    def forward(self, z, y=None):
        w = self.mapping(z)
        return GeneratorOutput(self.synthesis(w).view(-1, *self.sample_shape), {"w": w})


class PathLength(Regularizer):
    """Steps in w are as long everywhere in the image (Karras et al. 2020, equation 4)."""

    requires = frozenset({"w"})
    full_precision = frozenset({Player.GENERATOR})

    def __init__(self, weight=2.0, interval=4, decay=0.01):
        super().__init__(weight, interval)
        self.decay = decay
        self.register_buffer("mean", torch.zeros(()))

    def generator(self, step):
        noise = torch.randn_like(step.fake) / math.prod(step.fake.shape[2:]) ** 0.5
        at = step.generator_output.extra["w"]
        (slope,) = torch.autograd.grad((step.fake * noise).sum(), at, create_graph=True)
        lengths = slope.square().sum(1).sqrt()
        self.mean.lerp_(lengths.detach().mean(), self.decay)
        step.report("length", lengths.mean())
        return (lengths - self.mean).square()


class Vocoder(Generator):
    """A spectrogram to a wave; in training a slice of it, and where it begins."""

    latent_dim, sample_shape = 0, (1, None)

    def __init__(self, bands=4, hop=4, frames=4):
        super().__init__()
        self.hop, self.frames = hop, frames
        self.layer = nn.ConvTranspose1d(bands, 1, hop, stride=hop)

    def forward(self, z, y=None):
        start = torch.zeros(len(y), dtype=torch.int64, device=y.device)
        if self.training:
            start = torch.randint_like(start, y.shape[2] - self.frames + 1)
            y = windows(y, start, self.frames)
        return GeneratorOutput(self.layer(y).tanh(), {"start": start * self.hop})


class Slices(Regularizer):
    """The real wave from where the slice begins."""

    requires = frozenset({"start"})

    def prepare(self, step):
        start = step.generator_output.extra["start"]
        step.replace(real=windows(step.real, start, step.fake.shape[2]))


def windows(x, start, size):
    """Slices of x (N, C, T) that begin at ``start`` (N,), shape (N, C, size)."""
    places = start[:, None] + torch.arange(size, device=x.device)
    return x.gather(2, places[:, None].expand(-1, x.shape[1], -1))
