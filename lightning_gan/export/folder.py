"""A generator to take along: its weights as safetensors, and a JSON file that rebuilds it.

The folder holds no code and needs no checkpoint, discriminator or optimizer:

- ``generator.safetensors``: the weights of the generator that sampling uses
- ``prior.safetensors``: the tensors of the prior, where it keeps any
- ``generator.json``: its spec, with distribution and version of its plugin, that of the prior, and
  what a program needs to know to sample: sizes, classes, how long it was trained, and ``range``,
  the least and the largest value of samples as generator or data declare them; [-1, 1] for images
  where neither does, null where samples have no bounds
"""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from lightning_gan.components.spec import encode, printable
from lightning_gan.errors import InputError
from lightning_gan.files.whole import unfinished, write_whole
from lightning_gan.game.gan import GAN
from lightning_gan.types import range_bounds

WEIGHTS = "generator.safetensors"
PRIOR = "prior.safetensors"
DESCRIPTION = "generator.json"
FORMAT = 1
KEYS = {
    *("format", "version", "generator", "prior", "latent_dim", "sample_shape", "num_classes"),
    *("range", "averaged", "extra_state", "prior_state", "progress"),
}

MAPPINGS = ("generator", "extra_state", "prior_state", "progress")


def export_generator(gan: GAN, folder: str | Path) -> Path:
    """Write the generator that sampling uses to a folder, which is made where it is missing.

    That is the averaged generator where there is one, its statistics re-estimated where that is
    due. Each file appears whole or not at all, the description last. A generator that is no
    component (a bare nn.Module) is written too; loading asks for the network.

    Args:
        gan: The module.
        folder: Where to write ``generator.safetensors`` and ``generator.json``.

    Returns:
        The folder.

    Raises:
        InputError: The generator keeps a state that is neither a tensor nor a plain value.
    """
    tensors, of_prior = _tensors(gan.sampling_generator()), _tensors(gan.prior)
    text = describe_generator(gan)
    folder = Path(folder)
    with unfinished(folder / DESCRIPTION) as description:  # all can be written, or none is
        description.write_text(text + "\n", encoding="utf-8")
        if of_prior:
            write_whole(folder / PRIOR, save(of_prior, metadata={"format": "pt"}))
        write_whole(folder / WEIGHTS, save(tensors, metadata={"format": "pt"}))
    return folder


def read_description(folder: str | Path) -> dict[str, Any]:
    """Read and check ``generator.json`` of an exported folder; nothing is imported or built.

    Raises:
        InputError: The file is missing, damaged, foreign or newer than this program.
    """
    path = Path(folder) / DESCRIPTION
    if not os.path.isfile(path):
        raise InputError(
            f"no exported generator at {folder}; expected a folder with {DESCRIPTION} and "
            f"{WEIGHTS}, such as runs/digits_dcgan/version_0/generators/step-00004000"
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {printable(error)}") from error
    number = found.get("format") if isinstance(found, dict) else None
    if type(number) is not int or "generator" not in found:
        raise InputError(f"{path} was not written by lightning-gan")
    if number > FORMAT:
        raise InputError(
            f"{path} was written by lightning-gan {printable(found.get('version'))}, "
            "which is newer than this one; try: pip install --upgrade lightning-gan"
        )
    missing = sorted(KEYS - found.keys())
    if missing or not all(isinstance(found[key], dict) for key in MAPPINGS):
        what = f"{', '.join(missing)} is missing" if missing else "a mapping was expected"
        raise InputError(f"{path} is damaged: {what}")
    return dict(found)


def describe_generator(gan: GAN) -> str:
    """Return the text of ``generator.json`` for a module.

    Raises:
        InputError: The generator keeps a state that is neither a tensor nor a plain value.
    """
    description = _description(gan)
    for key, part in (
        ("extra_state", gan.generator_ema or gan.generator),
        ("prior_state", gan.prior),
    ):
        state = part.state_dict()
        others = {name: value for name, value in state.items() if not isinstance(value, Tensor)}
        try:
            json.dumps(others)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{type(part).__name__}.get_extra_state must return tensors or plain values "
                f"to be exported: {error}"
            ) from error
        description[key] = others
    return json.dumps(description, indent=2)


def _tensors(part: nn.Module) -> dict[str, Tensor]:
    """Return a copy of each tensor of a state: safetensors refuses weights that share memory."""
    return {
        key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, value in part.state_dict().items()
        if isinstance(value, Tensor)
    }


def _description(gan: GAN) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": version("lightning-gan"),
        "generator": encode(gan.generator),
        "prior": encode(gan.prior),
        "latent_dim": gan.generator.latent_dim,
        "sample_shape": list(gan.generator.sample_shape),
        "num_classes": getattr(gan.generator, "num_classes", None),
        "range": stated_range(gan),
        "averaged": gan.generator_ema is not None,
        "progress": gan.progress.state_dict(),
    }


def stated_range(gan: GAN) -> list[float] | None:
    """Return the least and the largest value of samples; None where they have no bounds."""
    declared = gan.sample_range
    if declared is None and len(gan.generator.sample_shape) == 3:
        declared = "symmetric"
    bounds = range_bounds(declared)
    return None if bounds is None else list(bounds)
