"""Critics whose gradients are known by hand, in double precision, and updates of them."""

from __future__ import annotations

import torch
from torch import nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def noise(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Linear(Discriminator):
    """D(x) = w . x + 7, whose gradient is w; it keeps the points and labels that it saw."""

    def __init__(self, w=(3.0, -4.0)):
        super().__init__()
        self.w = nn.Parameter(double(w))
        self.seen = []

    def forward(self, x, y=None):
        self.seen.append((x.detach(), y))
        return x.flatten(1) @ self.w + 7


class Quadratic(Linear):
    """D(x) = 1/2 sum_i w_i x_i^2, whose gradient is w x."""

    def forward(self, x, y=None):
        self.seen.append((x.detach(), y))
        return 0.5 * x.flatten(1).square() @ self.w


class Patches(Linear):
    """Logits w . x and 2 w . x of shape (N, 1, 2), whose sum has the gradient 3 w."""

    def forward(self, x, y=None):
        logits = super().forward(x, y) - 7
        return torch.stack([logits, 2 * logits], dim=1)[:, None]


class Heads(Linear):
    """Two heads, w . x of shape (N,) and -3 w . x of shape (N, 1): a sum of gradient -2 w."""

    def forward(self, x, y=None):
        logits = super().forward(x, y) - 7
        return [logits, -3 * logits[:, None]]


class Conditional(Linear):
    """D(x, y) = y w . x."""

    def forward(self, x, y=None):
        return y * (super().forward(x, y) - 7)


class Halving(nn.Module):
    """An augmentation x / 2."""

    def forward(self, x):
        return x / 2


def update(regularizer, discriminator, real, fake=None, **options):
    """Return an update as the game makes it for a regularizer."""
    return AdversarialStep(
        options.pop("player", Player.DISCRIMINATOR),
        real=real,
        fake=real.detach().clone() if fake is None else fake,
        generator=options.pop("generator", nn.Identity()),
        discriminator=discriminator,
        differentiates=regularizer.differentiates,
        **options,
    )


def term(regularizer, *arguments, **options):
    """Return the regularizer's term of an update."""
    return regularizer.term(update(regularizer, *arguments, **options))
