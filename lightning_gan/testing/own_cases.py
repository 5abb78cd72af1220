"""What our own components are tried with that need more than what is conventional.

Terms that ask for more than the tiny networks of the checks have get networks that have it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.alternations.loss_threshold import LossThreshold
from lightning_gan.augments.identity import IdentityAugment
from lightning_gan.augments.instance_noise import InstanceNoiseAugment
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.generators.base import Generator
from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.layers.vgg import BLOCKS, WIDTHS
from lightning_gan.losses.hinge import HingeLoss
from lightning_gan.priors.codes import CodesPrior
from lightning_gan.types import GeneratorOutput

SHAPE = (1, 8, 8)
NORMS = "norms of gradients of a piece"


class Encoding(Generator):
    """Encodes latents, and returns means, log-variances and code vectors as by-products.

    Args:
        sample_shape: Shape of one sample.
        latent_dim: Size of a latent.
    """

    num_classes = 3

    def __init__(self, sample_shape: tuple[int, ...] = SHAPE, latent_dim: int = 5) -> None:
        super().__init__()
        self.sample_shape, self.latent_dim = tuple(sample_shape), latent_dim
        self.encode = nn.Linear(latent_dim, 6)
        self.book = nn.Parameter(torch.rand(4, 3))
        self.draw = nn.Linear(3, math.prod(self.sample_shape))

    def forward(self, z: Tensor, y: Any = None) -> GeneratorOutput:
        """Return samples, and what they are made of."""
        mean, log_variance = self.encode(z).chunk(2, 1)
        quantized = self.book[torch.cdist(mean, self.book).argmin(1)]
        samples = self.draw(mean + (quantized - mean).detach()).tanh()
        said = {"mean": mean, "log_variance": log_variance, "encoded": mean, "quantized": quantized}
        return GeneratorOutput(samples.reshape(-1, *self.sample_shape), said)


def networks(
    generator: Generator | None = None, **heads: int
) -> tuple[Generator, MLPDiscriminator]:
    """Return a generator, and a discriminator with these heads."""
    if generator is None:
        generator = MLPGenerator(SHAPE, latent_dim=5, hidden=(8,), num_classes=3)
    discriminator = MLPDiscriminator(SHAPE, hidden=(8,), num_classes=3, dropout=0.0, heads=heads)
    return generator, discriminator


def vgg_state(
    architecture: str = "vgg16", blocks: int = 1, prefix: str = "features."
) -> dict[str, Tensor]:
    """Return a state dict of VGG's true layout with random weights, its first blocks alone."""
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


def vgg_arguments(folder: Path) -> dict[str, Any]:
    """Return arguments of the regularizer perceptual, with a file in a folder, written once."""
    file = folder / "vgg16.pth"
    if not file.exists():
        torch.save(vgg_state(), file)
    return {"vgg_file": str(file), "layers": ["relu1_1", "relu1_2"]}


def _sliced(folder: Path) -> dict[str, Any]:
    discriminator = MLPDiscriminator((2,), (4,), dropout=0.0, sliced=True)
    pair = MLPGenerator((2,), 3, (4,)), discriminator
    return {"arguments": {"loss": HingeLoss()}, "networks": pair}


CASES: dict[str, Any] = {
    "constant": {"value": 2.0},
    "piecewise": {"knots": [[0, 0.5], [0.01, 1.0]]},
    **{name: {"start": 1.0, "end": 0.1, "kimg": 0.02} for name in ("burn_in", "cosine", "linear")},
    "schedule/step": {"start": 1.0, "factor": 0.5, "kimg": 0.008},
    "inverse_time_decay": {"decay": 0.1},
    "adaptive_weight": {"layer": "draw", "couples": NORMS},
    "gradient_balance": {"shares": {"adversarial": 3.0, "reconstruction": 1.0}, "couples": NORMS},
    "gradnorm": {
        "arguments": {"terms": ["adversarial", "reconstruction", "penalty"]},
        "couples": NORMS,
    },
    "ada": {"p": 0.7, "interval": 1, "kimg": 0.05},
    "apa": {"p": 0.5, "interval": 1, "kimg": 0.05},
    "sequence": {"augments": [IdentityAugment(), InstanceNoiseAugment()]},
    "warm_up": {"kimg": 0.004, "then": LossThreshold()},
    "accuracy_controlled": {"threshold": 0.5, "momentum": 0.0},
    "multi_period": {"sample_shape": (1, None), "base_channels": 2},
    "multi_scale_wave": {"sample_shape": (2, None), "base_channels": 2},
    "multi_resolution": {"sample_shape": (1, None), "resolutions": [[16, 4, 12], [8, 2, 8]]},
    "multi_resolution_stft": {
        "arguments": {"resolutions": [[16, 4, 12], [8, 2, 8]]},
        "sample_shape": (1, 64),
    },
    "log_mel": {
        "arguments": {"fft": 16, "hop": 4, "window": 16, "mels": 4, "sample_rate": 16},
        "sample_shape": (1, 64),
    },
    "lecam": {"start_kimg": 0.0},
    "path_length": {"interval": 1, "batch_shrink": 1},
    "loss/top_k": {"loss": HingeLoss()},
    "slicing": _sliced,
    "packed": lambda folder: {
        "discriminator": MLPDiscriminator((2, 8, 8), hidden=(4,)),
        "couples": None,  # of neighbours, whom pieces of four do not part
    },
    "generator/stylegan2": {"couples": "mixes styles of the batch's latents"},
    "generator/unet": {"y": torch.linspace(-1, 1, 4 * 64).reshape(4, 1, 8, 8)},
    "codes": {"discrete": [3], "continuous": 2},
    "ms_ssim": {"window": 3, "weights": [0.5, 0.5]},
    "ssim": {"window": 5},
    "perceptual": vgg_arguments,
    "commitment": lambda folder: {"networks": networks(Encoding())},
    "gaussian_kl": lambda folder: {"networks": networks(Encoding())},
    "data_to_data_cross_entropy": lambda folder: {
        "arguments": {"dim": 4},
        "networks": networks(embedding=4),
    },
    "mutual_information": lambda folder: {
        "arguments": {"discrete": [3], "continuous": 1},
        "networks": networks(codes=4),
        "prior": CodesPrior([3], 1),
    },
    "twin_auxiliary_classifier": lambda folder: {"networks": networks(twin_class_logits=3)},
}
