"""Discriminators that are lists, and the terms over their features."""

from __future__ import annotations

from torch import nn
from torch.nn.functional import avg_pool2d, l1_loss, pad

from lightning_gan import Discriminator, DiscriminatorOutput, Regularizer


class Scales(Discriminator):
    """Patch discriminators of an image and of smaller ones (Wang et al. 2018, section 3.2)."""

    def __init__(self, channels=1, scales=2):
        super().__init__()
        self.sample_shape = (channels, None, None)
        self.nets = nn.ModuleList(patches(nn.Conv2d, channels, 3) for _ in range(scales))

    def forward(self, x, y=None):
        views = [x]
        while len(views) < len(self.nets):
            views.append(avg_pool2d(views[-1], 2))
        return joined(walk(net, view) for net, view in zip(self.nets, views, strict=True))


class Periods(Discriminator):
    """Every p-th value of a wave beside the others (Kong et al. 2020, section 2.3)."""

    sample_shape = (1, None)

    def __init__(self, periods=(2, 3)):
        super().__init__()
        self.periods = periods
        self.nets = nn.ModuleList(patches(nn.Conv2d, 1, (3, 1), (1, 0)) for _ in periods)

    def forward(self, x, y=None):
        views = [pad(x, (0, -x.shape[-1] % p)).unflatten(-1, (-1, p)) for p in self.periods]
        return joined(walk(net, view) for net, view in zip(self.nets, views, strict=True))


class Resolutions(Discriminator):
    """A wave, and every other value of it."""

    sample_shape = (1, None)

    def __init__(self, strides=(1, 2)):
        super().__init__()
        self.strides = strides
        self.nets = nn.ModuleList(patches(nn.Conv1d, 1, 3) for _ in strides)

    def forward(self, x, y=None):
        views = [x[..., ::stride] for stride in self.strides]
        return joined(walk(net, view) for net, view in zip(self.nets, views, strict=True))


class Several(Discriminator):
    """The heads of some discriminators, one after the other."""

    def __init__(self, members):
        super().__init__()
        self.members = nn.ModuleList(members)
        self.sample_shape = members[0].sample_shape

    def forward(self, x, y=None):
        said = [member(x, y) for member in self.members]
        pairs = [zip(each.features, each.logits, strict=True) for each in said]
        return joined(pair for each in pairs for pair in each)


class FeatureMatching(Regularizer):
    """Mean distance over all layers of all heads (Kumar et al. 2019, equation 3)."""

    requires = frozenset({"features"})

    def generator(self, step):
        heads = zip(step.fake_output.features, step.real_output.features, strict=True)
        pairs = [pair for head in heads for pair in zip(*head, strict=True)]
        return sum(l1_loss(fake, real.detach()) for fake, real in pairs) / len(pairs)


def patches(convolution, channels, kernel, padding=1):
    """Two convolutions."""
    first = convolution(channels, 4, kernel, padding=padding)
    return nn.Sequential(first, nn.LeakyReLU(0.2), convolution(4, 1, kernel, padding=padding))


def walk(layers, x):
    """The features of all layers but the last, and the logits."""
    found = [x := layer(x) for layer in layers]
    return found[:-1], found[-1]


def joined(heads):
    """Pairs of features and logits as one output."""
    features, logits = zip(*heads, strict=True)
    return DiscriminatorOutput(list(logits), features=list(features))
