"""A generator from wherever it is: an exported folder, a checkpoint, a run, the hub."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from lightning_gan.components.following import following
from lightning_gan.components.spec import build, is_portable, printable
from lightning_gan.errors import InputError, nearest
from lightning_gan.export import hub
from lightning_gan.export.folder import DESCRIPTION, PRIOR, WEIGHTS, read_description
from lightning_gan.export.loaded import LoadedGenerator
from lightning_gan.files.names import CHECKPOINTS, LAST
from lightning_gan.game import randomness
from lightning_gan.game.devices import device_of
from lightning_gan.priors.base import Prior


def load_generator(
    path: str | Path,
    map_location: str | torch.device | None = None,
    *,
    trust: bool = False,
    generator: nn.Module | None = None,
    prior: Prior | None = None,
) -> LoadedGenerator:
    """Return a generator to sample from, in eval mode.

    Args:
        path: An exported folder, a checkpoint, the folder of a run (its last checkpoint), or
            ``hf://user/name`` on the Hugging Face hub, ``hf://user/name@revision`` where one is
            meant.
        map_location: Device of the network. None: the CPU.
        trust: Import whatever class or function the file names. Without it only registered
            components, torch's own, and component classes this program has imported already.
        generator: The network to load the weights into, for one that could not be described.
        prior: The prior, for one that could not be described.

    Returns:
        The network with its prior: ``loaded.sample(64, labels=..., seed=0)``, and ``loaded(z, y)``
        from latents (N, Z) to samples (N, *sample_shape), or to a GeneratorOutput where the
        network has by-products beside them. Of a checkpoint, the averaged generator where there is
        one.

    Raises:
        InputError: There is none, a file is missing, damaged or foreign, the weights do not fit,
            the network must be passed, or there is no such device or no connection.
        PluginError: A component is not installed or not trusted.

    Example:
        >>> import tempfile
        >>> from lightning_gan import GAN, create_discriminator, create_generator, create_loss
        >>> from lightning_gan import load_generator
        >>> from lightning_gan.export import export_generator
        >>> gan = GAN(
        ...     generator=create_generator("mlp", sample_shape=(1, 8, 8)),
        ...     discriminator=create_discriminator("mlp", sample_shape=(1, 8, 8)),
        ...     loss=create_loss("non_saturating"),
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     loaded = load_generator(export_generator(gan, folder))
        >>> loaded.sample(4, seed=0).shape
        torch.Size([4, 1, 8, 8])
    """
    device = device_of(map_location)
    found = hub.folder_of(str(path)) if hub.is_address(path) else locate(path)
    if os.path.isfile(found):
        loaded = _of_checkpoint(found, trust, generator, prior)
    else:
        loaded = _of_folder(found, trust, generator, prior)
    return loaded if device is None else loaded.to(device)


def locate(path: str | Path) -> Path:
    """Return the checkpoint or the exported folder that a path stands for.

    Raises:
        InputError: There is neither.
    """
    path = Path(path)
    if os.path.isfile(path):
        return path
    if not os.path.isdir(path):
        beside = [str(p) for p in path.parent.iterdir()] if path.parent.is_dir() else []
        near = nearest(str(path), sorted(beside))
        raise InputError(
            f"nothing is at {path}{near or '; expected a checkpoint, a run or an exported folder'}"
        )
    if (path / DESCRIPTION).is_file():
        return path
    if (path / "snapshots").is_dir():  # of the hub's cache
        return _snapshot(path)
    for folder in (path / CHECKPOINTS, path):
        saved = [file for file in folder.glob("*.ckpt") if file.is_file()]
        if saved:
            last = folder / LAST
            return last if last in saved else max(saved, key=lambda file: file.stat().st_mtime_ns)
    runs = sorted({str(file.parent.parent) for file in path.glob("*/checkpoints/*.ckpt")})
    if runs:
        raise InputError(f"{path} holds several runs: name one, such as {runs[-1]}")
    made = sorted(file.name for file in path.glob("generator.*") if file.is_file())
    if made:
        raise InputError(
            f"{path} holds {', '.join(made)}, which runs without lightning-gan; to load it here, "
            "export it with --format safetensors as well"
        )
    raise InputError(
        f"no exported generator at {path}; expected a folder with {DESCRIPTION} and {WEIGHTS}, "
        "such as runs/digits_dcgan/version_0/generators/step-00004000"
    )


def _snapshot(path: Path) -> Path:
    """Return the folder that the main branch stands for in a folder of the hub's cache."""
    try:
        commit = (path / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        commit = ""
    folder = path / "snapshots" / commit
    if not re.fullmatch(r"[0-9a-f]{4,64}", commit) or not folder.is_dir():
        raise InputError(f"{path} is a folder of the Hugging Face cache without a main branch")
    return folder


def _of_checkpoint(
    path: Path, trust: bool, generator: nn.Module | None, prior: Prior | None
) -> LoadedGenerator:
    from lightning_gan.training.checkpoint import read_checkpoint
    from lightning_gan.training.module import GANModule

    given = {"generator": generator, "prior": prior}
    passed: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    step = read_checkpoint(path, map_location="meta").get("global_step")
    gan = GANModule.load_from_checkpoint(path, "cpu", trust=trust, **passed)
    about = {
        "progress": gan.progress.state_dict(),
        "averaged": gan.generator_ema is not None,
        "step": step,
    }
    return LoadedGenerator(gan.sampling_generator(), gan.prior, gan.sample_range, about)


def _of_folder(
    folder: Path, trust: bool, generator: nn.Module | None, prior: Prior | None
) -> LoadedGenerator:
    description = read_description(folder)
    spec = description["generator"]
    if generator is None and not is_portable(spec):
        what = printable(spec.get("unportable") or f"an argument of {spec.get('class_path')}")
        raise InputError(
            f"{folder}: the generator could not be described ({what}); build the network and pass "
            f"it: load_generator({str(folder)!r}, generator=net)"
        )
    with randomness.preserved(torch.device("cpu")), following():
        if generator is None:
            generator = build(spec, trust=trust, where="generator")
        if prior is None and is_portable(description["prior"]):
            prior = build(description["prior"], trust=trust, where="prior")
    if not isinstance(generator, nn.Module):
        raise InputError(f"{folder}: expected a network, got a {type(generator).__name__}")
    if not isinstance(prior, (Prior, type(None))):
        raise InputError(f"{folder}: expected a prior, got a {type(prior).__name__}")
    _fill(generator, folder / WEIGHTS, description["extra_state"])
    if prior is not None and os.path.isfile(folder / PRIOR):
        _fill(prior, folder / PRIOR, description["prior_state"])
    found: Any = description["range"]
    if found is not None and not _is_pair(found):
        raise InputError(f"{folder / DESCRIPTION} is damaged: {found!r} is no range of samples")
    about = {key: description[key] for key in ("progress", "averaged", "version")}
    return LoadedGenerator(generator, prior, "free" if found is None else tuple(found), about)


def _is_pair(found: Any) -> bool:
    numbers = isinstance(found, list) and all(type(bound) in (int, float) for bound in found)
    return numbers and len(found) == 2 and found[0] < found[1]


def _fill(part: nn.Module, weights: Path, extra_state: dict[str, Any]) -> None:
    """Give a network or a prior its state."""
    try:
        part.load_state_dict({**load_file(weights), **extra_state})
    except FileNotFoundError as error:
        raise InputError(f"{weights} is missing; export the generator again") from error
    except (SafetensorError, OSError) as error:
        raise InputError(f"{weights} is damaged: {printable(error)}") from error
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{weights} does not fit {type(part).__name__}: {printable(error)}"
        ) from error
