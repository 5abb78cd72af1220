"""One direction of a CycleGAN, as a generator of its own for others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from image2image.networks import ResNetTranslator, TwoWayGenerator
from lightning_gan import GANModule, InputError
from lightning_gan.export.publish import publish

Domain = Literal["A", "B"]
DOMAINS = ("A", "B")
SAMPLES = 4  # of the reference, which are noise


def way(generator: nn.Module, to: Domain) -> ResNetTranslator:
    """Return the network that makes images of one domain.

    Raises:
        InputError: There is no such domain, or the generator does not translate both ways.
    """
    if to not in DOMAINS:
        raise InputError(f"to must be A or B, got {to!r}")
    if not isinstance(generator, TwoWayGenerator):
        raise InputError(
            f"expected a two_way generator, got {type(generator).__name__}, which is exported with "
            "lightning-gan export"
        )
    return generator.a_to_b if to == "B" else generator.b_to_a


def export_direction(
    path: str | Path, to: Domain, out: str | Path, formats: Sequence[str] = ("safetensors",)
) -> Path:
    """Write one direction of a CycleGAN to a new folder, as ``lightning-gan export`` does.

    In the format safetensors it takes images of any size, in the others those of the size of
    training.

    Args:
        path: A checkpoint, or the folder of a run (its last checkpoint).
        to: The domain whose images it makes, "A" or "B".
        out: The folder, which must be new or empty.
        formats: Of "safetensors", "torch_export" and "onnx".

    Returns:
        The folder.

    Raises:
        InputError: The checkpoint is of something else, or the folder cannot be written.
    """
    place = Path(path)
    if place.is_dir():
        place = place / "checkpoints" / "last.ckpt"
    gan = GANModule.load_from_checkpoint(place)
    trained = way(gan.sampling_generator(), to)
    shape = trained.sample_shape
    network = ResNetTranslator((shape[0], None, None), None, trained.base_channels, trained.blocks)
    network.load_state_dict(trained.state_dict())
    gan.generator, gan.generator_ema = network, None  # everything else is as it was trained
    noise = torch.rand(SAMPLES, *shape, generator=torch.Generator().manual_seed(0)).mul(2).sub(1)
    return publish(gan, out, formats, example=noise).folder
