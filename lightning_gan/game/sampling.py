"""Drawing samples from a generator without leaving a trace in it or in any random state."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lightning_gan.ema import evaluating
from lightning_gan.errors import InputError
from lightning_gan.game import randomness
from lightning_gan.game.checks import check_generated, check_labels
from lightning_gan.priors.base import Prior
from lightning_gan.types import map_labels

CPU = torch.device("cpu")
BATCH = 256


def generate(
    generator: nn.Module,
    prior: Prior,
    n: int,
    y: Any,
    seed: int,
    device: torch.device,
    z: Tensor | None = None,
    autocast: torch.dtype | None = None,
) -> Tensor:
    """Generate n samples in eval mode; the latents do not depend on the device.

    Args:
        generator: Network with ``latent_dim``, on ``device``.
        prior: Distribution of the latents.
        n: Number of samples.
        y: Labels with N first, or None: drawn uniformly where the generator has ``num_classes``.
        seed: Seed of latents and drawn labels.
        device: Where to generate.
        z: Latents, shape (n, Z), or None: drawn from ``prior``.
        autocast: Type of mixed precision, torch.bfloat16 or torch.float16; None: as the caller is.

    Returns:
        Samples, shape (n, *sample_shape).
    """
    z_drawn, drawn = draw_inputs(generator, prior, n, randomness.seeded(seed, CPU))
    z = z_drawn if z is None else z
    dtype = next((p.dtype for p in generator.parameters() if p.is_floating_point()), z.dtype)
    z = z.to(dtype)
    mixed = nullcontext() if autocast is None else torch.autocast(device.type, autocast)
    y = map_labels(lambda labels: labels.to(device), drawn if y is None else y)
    pieces = []
    with torch.inference_mode(), mixed, evaluating(generator), randomness.preserved(device):
        for start in range(0, max(n, 1), BATCH):
            part = slice(start, start + BATCH)
            samples = generator(z[part].to(device), slice_labels(y, part))
            check_generated(generator, samples)
            # Mixed precision ends in half precision; its rounding has happened by now.
            pieces.append(samples.to(dtype) if samples.is_floating_point() else samples)
    return torch.cat(pieces)


def draw_inputs(
    generator: nn.Module, prior: Prior, n: int, source: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """Draw n latents (n, Z) and, for a class-conditional generator, classes (n,), on the CPU."""
    z = prior.sample(n, generator.latent_dim, generator=source, device=CPU)  # type: ignore[arg-type]
    classes: int | None = getattr(generator, "num_classes", None)
    return z, None if classes is None else torch.randint(classes, (n,), generator=source)


def class_labels(labels: Any, n: int, num_classes: int | None) -> Any:
    """Return classes as int64 (n,): from one class, a sequence or a tensor; pass on all else.

    Raises:
        InputError: The generator takes no classes, or they are of another number or out of range.
    """
    y = labels if isinstance(labels, Tensor) else _as_array(labels)
    if y is None or y.dim() > 1 or y.is_floating_point() or y.dtype == torch.bool:
        return labels
    if num_classes is None:
        raise InputError("labels were given, but the generator is not conditional")
    y = y.to(torch.int64).expand(n) if y.dim() == 0 else y.to(torch.int64)
    check_labels(y, n, num_classes)
    return y


def _as_array(labels: Any) -> Tensor | None:
    """Return whole numbers, alone, in a sequence or in an array, as a tensor; None for all else."""
    if isinstance(labels, (str, dict)):
        return None
    try:
        array = np.asarray(labels)
    except ValueError:  # ragged
        return None
    whole = array.dtype.kind in "iu" or array.size == 0
    return torch.from_numpy(array.astype(np.int64)) if whole else None


def slice_labels(y: Any, part: slice) -> Any:
    """Return a part of labels of any kind, N first."""
    return map_labels(lambda labels: labels[part], y)
