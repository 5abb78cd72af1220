"""A generator to take along: its weights as safetensors, and a JSON file that rebuilds it.

The folder holds no code and needs no checkpoint, discriminator or optimizer:

- ``generator.safetensors``: the weights of the generator that sampling uses
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
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from lightning_gan.components.spec import build, encode, is_portable, printable
from lightning_gan.errors import InputError
from lightning_gan.files.whole import unfinished, write_whole
from lightning_gan.game import randomness
from lightning_gan.game.devices import device_of
from lightning_gan.game.gan import GAN
from lightning_gan.types import range_bounds

WEIGHTS = "generator.safetensors"
DESCRIPTION = "generator.json"
FORMAT = 1
KEYS = {
    *("format", "version", "generator", "prior", "latent_dim", "sample_shape", "num_classes"),
    *("range", "averaged", "extra_state", "progress"),
}


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
    network = gan.sampling_generator()
    state = network.state_dict()
    # A copy of each tensor: safetensors refuses weights that share memory.
    tensors = {
        key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, value in state.items()
        if isinstance(value, Tensor)
    }
    text = describe_generator(gan)
    folder = Path(folder)
    with unfinished(folder / DESCRIPTION) as description:  # both can be written, or neither is
        description.write_text(text + "\n", encoding="utf-8")
        write_whole(folder / WEIGHTS, save(tensors, metadata={"format": "pt"}))
    return folder


def load_generator(
    folder: str | Path,
    map_location: str | torch.device | None = None,
    *,
    trust: bool = False,
    generator: nn.Module | None = None,
) -> nn.Module:
    """Rebuild an exported generator, in eval mode.

    Args:
        folder: What :func:`export_generator` wrote.
        map_location: Device of the network. None: the CPU.
        trust: Import whatever class or function the file names. Without it only registered
            components, torch's own, and component classes this program has imported already.
        generator: The network to load the weights into, for one that could not be described.

    Returns:
        The generator: ``forward(z, y=None)``, from latents (N, Z) to samples (N, *sample_shape) in
        ``range``, or to a GeneratorOutput where it has by-products beside them.

    Raises:
        InputError: A file is missing, damaged or foreign, the weights do not fit, or the network
            must be passed, or there is no such device.
        PluginError: A component is not installed or not trusted.
    """
    device = device_of(map_location)
    description = read_description(folder)
    spec = description["generator"]
    if generator is None and not is_portable(spec):
        what = printable(spec.get("unportable") or f"an argument of {spec.get('class_path')}")
        raise InputError(
            f"{folder}: the generator could not be described ({what}); build the network and pass "
            f"it: load_generator({str(folder)!r}, generator=net)"
        )
    if generator is None:
        with randomness.preserved(torch.device("cpu")):
            generator = build(spec, trust=trust, where="generator")
    if not isinstance(generator, nn.Module):
        raise InputError(f"{folder}: expected a network, got a {type(generator).__name__}")
    weights = Path(folder) / WEIGHTS
    try:
        state = {**load_file(weights), **description["extra_state"]}
        generator.load_state_dict(state)
    except FileNotFoundError as error:
        raise InputError(f"{weights} is missing; export the generator again") from error
    except (SafetensorError, OSError) as error:
        raise InputError(f"{weights} is damaged: {printable(error)}") from error
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{weights} does not fit {type(generator).__name__}: {printable(error)}"
        ) from error
    generator.eval()
    return generator if device is None else generator.to(device)


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
    if missing or not all(isinstance(found[key], dict) for key in ("generator", "extra_state")):
        what = f"{', '.join(missing)} is missing" if missing else "a mapping was expected"
        raise InputError(f"{path} is damaged: {what}")
    return dict(found)


def describe_generator(gan: GAN) -> str:
    """Return the text of ``generator.json`` for a module.

    Raises:
        InputError: The generator keeps a state that is neither a tensor nor a plain value.
    """
    state = (gan.generator_ema or gan.generator).state_dict()
    others = {key: value for key, value in state.items() if not isinstance(value, Tensor)}
    try:
        return json.dumps(_description(gan, others), indent=2)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{type(gan.generator).__name__}.get_extra_state must return tensors or plain values "
            f"to be exported: {error}"
        ) from error


def _description(gan: GAN, extra_state: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": version("lightning-gan"),
        "generator": encode(gan.generator),
        "prior": encode(gan.prior),
        "latent_dim": gan.generator.latent_dim,
        "sample_shape": list(gan.generator.sample_shape),
        "num_classes": getattr(gan.generator, "num_classes", None),
        "range": _range(gan),
        "averaged": gan.generator_ema is not None,
        "extra_state": extra_state,
        "progress": gan.progress.state_dict(),
    }


def _range(gan: GAN) -> list[float] | None:
    """Return the least and the largest value of samples; None where they have no bounds."""
    declared = gan.sample_range
    if declared is None and len(gan.generator.sample_shape) == 3:
        declared = "symmetric"
    bounds = range_bounds(declared)
    return None if bounds is None else list(bounds)
