"""What terms are tried with that ask for more than the tiny networks of the checks have."""

import math

import torch
from torch import nn

from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.generators.base import Generator
from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.layers.vgg import BLOCKS, WIDTHS
from lightning_gan.priors.codes import CodesPrior
from lightning_gan.types import GeneratorOutput

SHAPE = (1, 8, 8)


class Encoding(Generator):
    """Encodes latents, and returns means, log-variances and code vectors as by-products."""

    num_classes = 3

    def __init__(self, sample_shape=SHAPE, latent_dim=5):
        super().__init__()
        self.sample_shape, self.latent_dim = tuple(sample_shape), latent_dim
        self.encode = nn.Linear(latent_dim, 6)
        self.book = nn.Parameter(torch.rand(4, 3))
        self.draw = nn.Linear(3, math.prod(self.sample_shape))

    def forward(self, z, y=None):
        mean, log_variance = self.encode(z).chunk(2, 1)
        quantized = self.book[torch.cdist(mean, self.book).argmin(1)]
        samples = self.draw(mean + (quantized - mean).detach()).tanh()
        said = {"mean": mean, "log_variance": log_variance, "encoded": mean, "quantized": quantized}
        return GeneratorOutput(samples.reshape(-1, *self.sample_shape), said)


def networks(generator=None, **heads):
    """A generator, and a discriminator with these heads."""
    if generator is None:
        generator = MLPGenerator(SHAPE, latent_dim=5, hidden=(8,), num_classes=3)
    discriminator = MLPDiscriminator(SHAPE, hidden=(8,), num_classes=3, dropout=0.0, heads=heads)
    return generator, discriminator


def vgg_state(architecture="vgg16", blocks=1, prefix="features."):
    """A state dict of VGG's true layout with random weights, its first blocks alone."""
    source = torch.Generator().manual_seed(0)
    state, index, width = {}, 0, 3
    for convs, following in list(zip(BLOCKS[architecture], WIDTHS, strict=True))[:blocks]:
        for _ in range(convs):
            scale = (2 / (9 * width)) ** 0.5
            weight = torch.randn(following, width, 3, 3, generator=source) * scale
            state[f"{prefix}{index}.weight"] = weight
            state[f"{prefix}{index}.bias"] = torch.randn(following, generator=source) * 0.1
            index, width = index + 2, following
        index += 1
    return state


def vgg_arguments(folder):
    """Arguments of the regularizer perceptual, with a file in a folder, written once."""
    file = folder / "vgg16.pth"
    if not file.exists():
        torch.save(vgg_state(), file)
    return {"vgg_file": str(file), "layers": ["relu1_1", "relu1_2"]}


# Arguments, and keywords of the check, by the name of the component.
ARGUMENTS = {
    "codes": {"discrete": [3], "continuous": 2},
    "data_to_data_cross_entropy": {"dim": 4},
    "ms_ssim": {"window": 3, "weights": [0.5, 0.5]},
    "mutual_information": {"discrete": [3], "continuous": 1},
    "perceptual": vgg_arguments,
    "ssim": {"window": 5},
}
KEYWORDS = {
    "commitment": lambda: {"networks": networks(Encoding())},
    "data_to_data_cross_entropy": lambda: {"networks": networks(embedding=4)},
    "gaussian_kl": lambda: {"networks": networks(Encoding())},
    "mutual_information": lambda: {"networks": networks(codes=4), "prior": CodesPrior([3], 1)},
    "twin_auxiliary_classifier": lambda: {"networks": networks(twin_class_logits=3)},
}
