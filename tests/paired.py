"""A paired toy: batches are dicts of an image, its small version and attributes."""

from __future__ import annotations

import torch
import toys
from pytorch_lightning import LightningDataModule
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate
from torch.utils.data import DataLoader

from lightning_gan import BatchKeys, Discriminator, Generator


class Upscaler(Generator):
    """Enlarges the small image, times a weight, plus a little of the latent."""

    sample_shape = toys.SHAPE

    def __init__(self, latent_dim=0, sample_range=None, norm=False):
        super().__init__()
        self.latent_dim, self.sample_range = latent_dim, sample_range
        self.scale = nn.Parameter(torch.ones(()))
        self.norm = nn.BatchNorm2d(1, affine=False) if norm else nn.Identity()

    def forward(self, z, y=None):
        noise = z.sum(1).view(-1, 1, 1, 1).tanh() / 10 if self.latent_dim else 0
        return self.norm(interpolate(y["small"], scale_factor=2) * self.scale + noise)


class Judge(Discriminator):
    """Looks at an image and at the small one."""

    sample_shape = toys.SHAPE

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(20, 1)

    def forward(self, x, y=None):
        return self.net(torch.cat([x.flatten(1), y["small"].flatten(1)], 1))


class Pairs(LightningDataModule):
    """Dicts, one with a text."""

    def __init__(self, n=16, low=-1.0, high=1.0, sample_range=None, batch_size=8):
        super().__init__()
        x = low + (high - low) * toys.images(n).add(1).div(2)
        attributes = torch.arange(n) % 3
        self.rows = [
            {"image": image, "small": small, "attributes": a, "name": f"{number}.png"}
            for number, (image, small, a) in enumerate(
                zip(x, avg_pool2d(x, 2), attributes, strict=True)
            )
        ]
        self.batch_size = batch_size
        if sample_range is not None:
            self.sample_range = sample_range

    def stacked(self, name):
        return torch.stack([row[name] for row in self.rows])

    def train_dataloader(self):
        return DataLoader(self.rows, self.batch_size, drop_last=True)

    def val_dataloader(self):
        return DataLoader(self.rows, self.batch_size)

    def test_dataloader(self):
        return DataLoader(self.rows, self.batch_size)


def keys():
    return BatchKeys("image", ["small", "attributes"])


def gan(generator=None, **parts):
    generator = Upscaler() if generator is None else generator
    return toys.gan(generator=generator, discriminator=Judge(), prepare_batch=keys(), **parts)
