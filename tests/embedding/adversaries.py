"""Adversaries of tiny networks, and what is looked at in them."""

from __future__ import annotations

from functools import partial

import by_hand
import torch
from torch import nn

from lightning_gan import Adversary, Regularizer
from lightning_gan.losses.non_saturating import NonSaturatingLoss

sgd = partial(torch.optim.SGD, lr=0.1)


def adversary(discriminator=None, seed=0, **options):
    discriminator = by_hand.networks(seed=seed)[1] if discriminator is None else discriminator
    return Adversary(discriminator, options.pop("loss", NonSaturatingLoss()), **options)


def pair(seed=1, n=6):
    """Real samples, and fakes with a graph."""
    ((real, z),) = by_hand.batches(1, n, seed)
    return real, by_hand.networks()[0](z)


def state(module):
    return {
        key: value.clone() for key, value in module.state_dict().items() if torch.is_tensor(value)
    }


def same(ours, theirs):
    return all(torch.equal(value, theirs[key]) for key, value in ours.items())


class Normed(nn.Module):
    """A network with statistics, of plain layers."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Flatten(), nn.Linear(16, 1)
        )

    def forward(self, x):
        return self.layers(x)


def normed():
    torch.manual_seed(0)
    return Normed().double()


class Told(Regularizer):
    """Notes what observers are told, and its own calls."""

    observes = True

    def __init__(self):
        super().__init__()
        self.seen, self.calls, self.after = [], [], []

    def discriminator(self, step):
        self.calls.append(step.player)

    def generator(self, step):
        self.calls.append(step.player)
        return step.fake.square()

    def after_update(self, player, network):
        self.after.append(player)

    def observe(self, feedback):
        self.seen.append(feedback)
