"""Drawing samples from a generator without leaving a trace in it or in any random state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.game import randomness
from lightning_gan.game.checks import check_generated, check_labels
from lightning_gan.game.conditions import Conditions, class_entry, generated, with_classes
from lightning_gan.game.preserving import preserved_state
from lightning_gan.game.statistics import evaluating
from lightning_gan.priors.base import Prior
from lightning_gan.tracking import tracked
from lightning_gan.types import (
    as_generator_output,
    columns_in,
    map_columns,
    map_tensors,
    rows,
)

CPU = torch.device("cpu")
BATCH = 256


class Piece(NamedTuple):
    """Some of the samples that were asked for.

    Attributes:
        samples: Shape (n, *sample_shape), on the device.
        z: Their latents as the generator got them, shape (n, Z), on the CPU.
        y: Their conditions, or None.
    """

    samples: Tensor
    z: Tensor
    y: Any


def generate(
    generator: nn.Module,
    prior: Prior,
    n: int,
    y: Any,
    seed: int,
    device: torch.device,
    *,
    conditions: Conditions,
    z: Tensor | None = None,
    autocast: torch.dtype | None = None,
    truncation: float | None = None,
    batch_size: int = BATCH,
    exact: bool = False,
) -> Tensor:
    """Generate n samples in eval mode; the latents do not depend on the device.

    Args:
        generator: Network with ``latent_dim``, on ``device``.
        prior: Distribution of the latents.
        n: Number of samples.
        y: Conditions with N first, or None: drawn.
        seed: Seed of latents and drawn conditions.
        device: Where to generate.
        conditions: Where conditions are drawn from.
        z: Latents, shape (n, Z), or None: drawn from ``prior``.
        autocast: Type of mixed precision, torch.bfloat16 or torch.float16; None: as the caller is.
        truncation: psi, or None; see :meth:`Sampler.sample`.
        batch_size: Samples of one pass; latents and conditions do not depend on it.
        exact: Whether convolutions are computed in full precision on every device, so that samples
            hardly depend on the batch size; mixed precision is as it is.

    Returns:
        Samples, shape (n, *sample_shape).

    Raises:
        NoConditionError: The generator asks for a condition, and there is none to draw.
    """
    found = pieces(
        generator, prior, n, y, seed, device, conditions=conditions, z=z, autocast=autocast,
        truncation=truncation, batch_size=batch_size, exact=exact,
    )  # fmt: skip
    with randomness.preserved(device):
        return torch.cat([piece.samples for piece in found])


def pieces(
    generator: nn.Module,
    prior: Prior,
    n: int,
    y: Any,
    seed: int,
    device: torch.device,
    *,
    conditions: Conditions,
    z: Tensor | None = None,
    autocast: torch.dtype | None = None,
    truncation: float | None = None,
    batch_size: int = BATCH,
    exact: bool = False,
) -> Iterator[Piece]:
    """Generate as :func:`generate` does, a batch at a time."""
    source = randomness.seeded(seed, CPU)
    if z is None:
        with preserved_state(prior):
            z, drawn = draw_inputs(generator, prior, conditions, n, source)
        z = z if has_truncation(generator) else truncated(z, prior, truncation)
    else:
        drawn = conditions.draw(n, _of_conditions(source))
    dtype = floating_dtype(generator) or z.dtype
    z = z.to(dtype)
    if y is None:
        y = drawn
    elif isinstance(y, Tensor):
        y = with_classes(y, class_entry(generator), drawn)
    y = map_tensors(lambda labels: labels.to(device), y)
    starts = range(0, max(n, 1), batch_size)
    for start in tracked(starts, "sampling", len(starts)):
        part = slice(start, start + batch_size)
        condition = rows(y, part, n)
        mixed = nullcontext() if autocast is None else torch.autocast(device.type, autocast)
        precise = full_precision() if exact else nullcontext()
        with (
            torch.inference_mode(),
            mixed,
            precise,
            evaluating(generator),
            styles(generator, truncation),
        ):
            output = generated(generator, z[part].to(device), condition)
            samples = as_generator_output(output).samples
            check_generated(generator, samples)
            # Mixed precision ends in half precision; its rounding has happened by now.
            samples = samples.to(dtype) if samples.is_floating_point() else samples
        yield Piece(samples, z[part], condition)


def has_truncation(generator: nn.Module) -> bool:
    """Whether a generator draws its styles towards their mean itself, as StyleGANs do.

    It says so by a number ``truncation``, which is psi of its eval mode and may be set.
    """
    found = getattr(generator, "truncation", None)
    return isinstance(found, (int, float)) and not isinstance(found, bool)


def truncated(z: Tensor, prior: Prior, psi: float | None) -> Tensor:
    """Return latents drawn towards the center of their prior: center + psi (z - center)."""
    return z if psi is None else (z - prior.center) * psi + prior.center


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute convolutions in float32 where cuDNN would round to TF32, by algorithms it keeps."""
    cudnn = torch.backends.cudnn
    with cudnn.flags(
        enabled=cudnn.enabled,
        deterministic=cudnn.deterministic,
        benchmark=False,
        allow_tf32=False,
    ):
        yield


@contextmanager
def styles(generator: Any, psi: float | None) -> Iterator[None]:
    """Let a generator that has a ``truncation`` of its own draw its styles by psi for a while."""
    if psi is None or not has_truncation(generator):
        yield
        return
    usual, generator.truncation = generator.truncation, psi
    try:
        yield
    finally:
        generator.truncation = usual


def draw_inputs(
    generator: nn.Module, prior: Prior, conditions: Conditions, n: int, source: torch.Generator
) -> tuple[Tensor, Any]:
    """Draw n latents (n, Z) and n conditions, on the CPU; fewer are the beginning of more."""
    of_conditions = _of_conditions(source)
    size: int = generator.latent_dim  # type: ignore[assignment]
    # In whole blocks: what torch draws for 5 is not the beginning of what it draws for 16.
    blocks = range(0, max(n, 1), BATCH)
    z = torch.cat([prior.sample(BATCH, size, generator=source, device=CPU) for _ in blocks])[:n]
    return z.to(floating_dtype(generator) or z.dtype), conditions.draw(n, of_conditions)


def _of_conditions(source: torch.Generator) -> torch.Generator:
    """Return a source of its own for conditions, which do not depend on the number of latents."""
    ahead = torch.Generator().set_state(source.get_state())  # without a draw
    return randomness.seeded(int(torch.randint(2**62, (), generator=ahead)), CPU)


def floating_dtype(network: nn.Module) -> torch.dtype | None:
    """Return the type of a network's weights, as far as they are floating point; None without."""
    return next((p.dtype for p in network.parameters() if p.is_floating_point()), None)


def class_labels(labels: Any, n: int, num_classes: int | None, unlabeled: bool = False) -> Any:
    """Return classes as int64 (n,): from one class, a sequence or a tensor; pass on all else.

    Args:
        labels: What was asked for.
        n: Number of samples.
        num_classes: K of the generator, or None.
        unlabeled: Whether -1 is a class, too.

    Raises:
        InputError: The generator takes no classes, or they are of another number or out of range.
    """
    y = labels if isinstance(labels, Tensor) else _as_array(labels)
    if y is None or y.dim() > 1 or y.is_floating_point() or y.dtype == torch.bool:
        return labels
    if num_classes is None:
        raise InputError("labels were given, but the generator is not conditional")
    y = y.to(torch.int64).expand(n) if y.dim() == 0 else y.to(torch.int64)
    check_labels(y, n, num_classes, unlabeled)
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


def repeat_labels(y: Any, times: int, n: int) -> Any:
    """Return conditions of n samples several times over; a scalar stands for all."""

    def repeat(column: Any) -> Any:
        if isinstance(column, list):
            return column * times
        join = torch.cat if isinstance(column, Tensor) else np.concatenate
        return join([column] * times)

    return map_columns(repeat, y, n)


def check_conditions(y: Any, n: int) -> None:
    """Check that there are as many conditions as samples, where they are told apart.

    Raises:
        InputError: There are more or fewer.
    """
    for column in columns_in(y, n):
        if len(column) != n:
            raise InputError(
                f"labels must hold one condition for each of {n} samples, got {len(column)}: give "
                f"{n} of them"
            )
