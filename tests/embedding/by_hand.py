"""A GAN's loop as people write it by hand: plain torch, and nothing of ours."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import softplus

SHAPE = (3, 4, 4)
LATENT = 5


class Generator(nn.Module):
    """Two layers, with what our contract asks for."""

    latent_dim, sample_shape, num_classes = LATENT, SHAPE, None

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(LATENT, 12), nn.Tanh(), nn.Linear(12, 48), nn.Tanh())

    def forward(self, z, y=None):
        return self.layers(z).unflatten(1, SHAPE)


class Discriminator(nn.Module):
    """One head, or several that share a layer; smooth, so that it can be differentiated twice."""

    sample_shape, num_classes = SHAPE, None

    def __init__(self, heads=1):
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(48, 10), nn.Tanh())
        self.heads = nn.ModuleList(nn.Linear(10, 1 + index) for index in range(heads))

    def forward(self, x, y=None):
        hidden = self.trunk(x)
        logits = [head(hidden) for head in self.heads]
        return logits[0] if len(logits) == 1 else logits


def networks(heads=1, seed=0):
    torch.manual_seed(seed)
    return Generator().double(), Discriminator(heads).double()


def batches(count, n=6, seed=1):
    """Pairs (real samples, latents)."""
    source = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=source, dtype=torch.float64)

    return [(draw(n, *SHAPE).tanh(), draw(n, LATENT)) for _ in range(count)]


# Losses ---------------------------------------------------------------------------------------


def non_saturating(real, fake):
    return softplus(-real).mean() + softplus(fake).mean(), softplus(-fake).mean()


def hinge(real, fake):
    return (1 - real).relu().mean() + (1 + fake).relu().mean(), -fake.mean()


def relativistic(real, fake):
    return softplus(fake - real).mean(), softplus(real - fake).mean()


def wasserstein(real, fake):
    return fake.mean() - real.mean(), -fake.mean()


def over_heads(loss, weights=None, join="mean"):
    """A loss of several heads: one of each, weighted, and then their mean or sum."""

    def joined(reals, fakes):
        pairs = [loss(real, fake) for real, fake in zip(reals, fakes, strict=True)]
        factors = weights or [1.0] * len(pairs)
        d_loss = sum(factor * pair[0] for factor, pair in zip(factors, pairs, strict=True))
        g_loss = sum(factor * pair[1] for factor, pair in zip(factors, pairs, strict=True))
        return (d_loss, g_loss) if join == "sum" else (d_loss / len(pairs), g_loss / len(pairs))

    return joined


# Penalties ------------------------------------------------------------------------------------


def summed(logits):
    return sum(each.sum() for each in logits) if isinstance(logits, list) else logits.sum()


def r1(discriminator, real, fake, weight):
    x = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(summed(discriminator(x)), x, create_graph=True)
    return weight / 2 * gradient.square().sum((1, 2, 3)).mean()


def wgan_gp(discriminator, real, fake, weight):
    epsilon = torch.rand(len(real), 1, 1, 1).double()
    x = (epsilon * real + (1 - epsilon) * fake.detach()).requires_grad_()
    (gradient,) = torch.autograd.grad(summed(discriminator(x)), x, create_graph=True)
    return weight * (gradient.flatten(1).norm(dim=1) - 1).square().mean()


# The loop -------------------------------------------------------------------------------------


def adam(network, lr):
    return torch.optim.Adam(network.parameters(), lr=lr, betas=(0.5, 0.999))


def gradients(network):
    return [p.grad.clone() for p in network.parameters()]


def train(generator, discriminator, data, loss=non_saturating, **options):
    """Train by hand and return the gradients of each step: (discriminator's, generator's).

    Options: ``penalty`` (a function), ``penalty_weight``, ``every`` (lazy), ``augment``,
    ``generator_weight`` (of the images seen), ``clip_norm``, ``clip_value``, ``lr_decay``,
    ``extra_latents`` (for the generator's step, where it does not share the discriminator's).
    """
    get = {
        "every": 1,
        "augment": lambda x: x,
        "generator_weight": lambda images: 1.0,
        **options,
    }.get
    d_optimizer, g_optimizer = adam(discriminator, 2e-3), adam(generator, 1e-3)
    rate = torch.optim.lr_scheduler.ExponentialLR(d_optimizer, get("lr_decay") or 1.0)
    taken, images = [], 0
    for index, (real, z) in enumerate(data):
        torch.manual_seed(index)
        fake = generator(z)
        d_optimizer.zero_grad()
        d_loss, _ = loss(
            discriminator(get("augment")(real)), discriminator(get("augment")(fake.detach()))
        )
        if get("penalty") and index % get("every") == 0:
            penalty = get("penalty")(discriminator, real, fake, get("penalty_weight"))
            d_loss = d_loss + get("every") * penalty
        d_loss.backward()
        of_discriminator = gradients(discriminator)
        if get("clip_norm"):
            nn.utils.clip_grad_norm_(discriminator.parameters(), get("clip_norm"))
        if get("clip_value"):
            nn.utils.clip_grad_value_(discriminator.parameters(), get("clip_value"))
        d_optimizer.step()
        rate.step()

        if get("extra_latents"):
            fake = generator(get("extra_latents")[index])
        g_optimizer.zero_grad()
        with torch.no_grad():
            of_real = discriminator(real)
        _, g_loss = loss(of_real, discriminator(get("augment")(fake)))
        (get("generator_weight")(images) * g_loss).backward()
        taken.append((of_discriminator, gradients(generator)))
        g_optimizer.step()
        images += len(real)
    return taken
