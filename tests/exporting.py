"""Small generators of every kind, shared by the tests of export and sampling."""

from __future__ import annotations

import torch
import toys
from torch import nn

from lightning_gan import Discriminator, Generator, GeneratorOutput, InputError
from lightning_gan.discriminators.mlp import MLPDiscriminator

SHAPE = (1, 8, 8)


class Styled(Generator):
    """A generator with by-products, one of them a scalar, one no tensor."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.latent_dim, self.sample_shape = 3, SHAPE
        self.map, self.out = nn.Linear(3, width), nn.Linear(width, 64)

    def forward(self, z, y=None):
        w = self.map(z).relu()
        samples = self.out(w).tanh().view(-1, *SHAPE)
        return GeneratorOutput(samples, {"w": w, "size": w.square().mean(), "word": "a"})


class Painter(Generator):
    """From an image to an image: a convolution of 3 x 3, of any size."""

    def __init__(self, channels: int = 1, scale: int = 1, size: int | None = None) -> None:
        super().__init__()
        self.latent_dim, self.sample_shape = 0, (channels, size, size)
        self.layer = nn.Conv2d(channels, channels, 3, padding=1)
        self.scale = scale

    def forward(self, z, y=None):
        return (
            self.layer(y).tanh().repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)
        )


class Speaker(Generator):
    """From frames (N, 2, T) to waves (N, 1, 3 T); as files, from lines of text to others."""

    input_endings, output_ending = (".txt", ".md"), ".said"

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim, self.sample_shape = 0, (1, None)
        self.layer = nn.ConvTranspose1d(2, 1, 3, 3)

    def forward(self, z, y=None):
        return self.layer(y).tanh()

    def example_input(self, n):
        return torch.arange(n * 16.0).view(n, 2, 8) / 100

    def translate_file(self, source, out):
        if not source.read_text():
            raise InputError(f"{source} says nothing")
        out.write_text(source.read_text().upper())


class Named(Generator):
    """From a latent and a dict: an image and a class."""

    class_entry = "kind"

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim, self.sample_shape, self.num_classes = 2, SHAPE, 3
        self.kinds, self.mix = nn.Embedding(3, 64), nn.Linear(2, 64)

    def forward(self, z, y=None):
        added = self.mix(z) + self.kinds(y["kind"])
        return (added.view(-1, *SHAPE) + y["image"]).tanh()


class Branching(Generator):
    """What no trace can hold: it looks at its values."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim, self.sample_shape = 3, SHAPE
        self.layer = nn.Linear(3, 64)

    def forward(self, z, y=None):
        x = self.layer(z)
        if x.sum() > 0:
            x = -x
        return x.tanh().view(-1, *SHAPE)


class Ear(Discriminator):
    """A discriminator of waves of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.sample_shape = (1, None)
        self.layer = nn.Conv1d(1, 1, 3)

    def forward(self, x, y=None):
        return self.layer(x).mean(dim=(1, 2))


class Eye(Discriminator):
    """A discriminator that looks at whatever it gets."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.sample_shape = (channels, None, None)
        self.layer = nn.Conv2d(channels, 1, 3)

    def forward(self, x, y=None):
        return self.layer(x).mean(dim=(1, 2, 3))


def gan(generator, **parts):
    if isinstance(generator, (Painter, Named)):
        parts.setdefault("discriminator", Eye(generator.sample_shape[0]))
    elif isinstance(generator, Speaker):
        parts.setdefault("discriminator", Ear())
    else:
        classes = getattr(generator, "num_classes", None)
        shape = generator.sample_shape
        parts.setdefault(
            "discriminator",
            MLPDiscriminator(sample_shape=shape, hidden=(4,), num_classes=classes, dropout=0.0),
        )
    return toys.gan(generator=generator, **parts)


def save(gan, path):
    """Write the checkpoint of a GAN that was not trained."""
    trainer = toys.trainer(path.parent, max_steps=1)
    trainer.strategy.connect(gan)
    trainer.save_checkpoint(path)


def plain(**arguments):
    return gan(toys.generator(**{"sample_shape": SHAPE, "hidden": (4,), **arguments}))


def tensors(n, *shape):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
