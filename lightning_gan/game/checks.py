"""Checks of the parts at construction and of the first batch before the first step.

One sentence for each thing that can be wrong.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.ema import evaluating
from lightning_gan.errors import InputError
from lightning_gan.game import randomness
from lightning_gan.types import DiscriminatorOutput, Player


def split_batch(batch: Any) -> tuple[Tensor, Any]:
    """Return samples and labels of a batch ``(x, y)`` or ``x``.

    Raises:
        InputError: The batch is neither.
    """
    if isinstance(batch, Tensor):
        return batch, None
    if isinstance(batch, (tuple, list)) and batch and isinstance(batch[0], Tensor):
        if len(batch) == 1:
            return batch[0], None
        if len(batch) == 2:
            return batch[0], batch[1]
    raise InputError(
        "a batch must be a tensor of samples or a pair (samples, labels), got "
        f"{_describe(batch)}; let the data module's dataset yield (x, y) or x"
    )


def check_samples(x: Tensor, sample_shape: tuple[int, ...] | None, dtype: torch.dtype) -> None:
    """Check shape, dtype and finiteness.

    Args:
        x: Samples, shape (N, *sample_shape).
        sample_shape: What the networks expect.
        dtype: Type of the networks' weights.

    Raises:
        InputError: The samples do not fit the networks.
    """
    if not x.is_floating_point():
        raise InputError(
            f"samples must be floating point, got {x.dtype}; convert images with x / 127.5 - 1"
        )
    if sample_shape is not None and tuple(x.shape[1:]) != tuple(sample_shape):
        raise InputError(
            f"the data yield samples of shape {tuple(x.shape[1:])}, the networks expect "
            f"{tuple(sample_shape)}; set sample_shape of generator and discriminator to the "
            "data's, or resize the data"
        )
    if len(x) == 0:
        raise InputError("the first batch holds no samples")
    if not torch.isfinite(x).all():
        raise InputError("the first batch holds NaN or infinite values; check the data")
    if x.dtype != dtype:
        raise InputError(
            f"samples are {x.dtype} and the networks {dtype}; convert the samples with "
            f"x.to({dtype}), or the networks with trainer.precision"
        )


def check_range(x: Tensor) -> None:
    """Check that images, if the samples are such, are scaled to [-1, 1].

    Images of both signs beyond it were scaled on purpose and get a warning.

    Raises:
        InputError: They are as they come from a file, in [0, 1] or [0, 255].
    """
    if x.dim() != 4:
        return
    low, high = x.min().item(), x.max().item()
    if low >= 0:
        scale = "2 * x - 1" if high <= 1 else "x / 127.5 - 1"
        raise InputError(
            f"images must be scaled to [-1, 1]; those of the first batch lie in [{low:.3g}, "
            f"{high:.3g}], so map them with {scale}"
        )
    if low < -1.001 or high > 1.001:
        warnings.warn(
            f"images lie in [{low:.3g}, {high:.3g}], not in [-1, 1]: a generator that ends in tanh "
            "cannot make them",
            stacklevel=2,
        )


def check_generated(generator: Any, x: Any) -> None:
    """Check that what a generator made has the shape that it declares.

    Raises:
        InputError: It has another.
    """
    expected = tuple(generator.sample_shape)
    if not isinstance(x, Tensor) or tuple(x.shape[1:]) != expected:
        raise InputError(
            f"{type(generator).__name__} must generate samples of its sample_shape {expected}, "
            f"got {_describe(x)}"
        )


def check_labels(y: Any, n: int, num_classes: int | None) -> None:
    """Check class labels where a network is conditional on K classes.

    Raises:
        InputError: Labels are missing, or not int64 of shape (N,) in 0..K-1.
    """
    if num_classes is None:
        return
    if y is None:
        raise InputError(
            f"a network has num_classes={num_classes} but the data yield no labels; let the data "
            "yield (x, y), or set num_classes of generator and discriminator to null"
        )
    if not isinstance(y, Tensor) or y.dtype != torch.int64 or tuple(y.shape) != (n,):
        raise InputError(f"class labels must be int64 of shape ({n},), got {_describe(y)}")
    low, high = (int(y.min()), int(y.max())) if n > 0 else (0, 0)
    if low < 0 or high >= num_classes:
        raise InputError(
            f"class labels must lie in 0..{num_classes - 1} (num_classes={num_classes}), "
            f"got {low}..{high}"
        )


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype} and shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)} ({', '.join(map(_describe, value))})"
    return type(value).__name__


def check_parts(
    generator: Any,
    discriminator: Any,
    parts: Mapping[str, tuple[Any, type]],
    regularizers: Mapping[str, Any],
) -> None:
    """Check that the parts of a GANModule are of the right kind and fit each other.

    Args:
        generator: A network with ``latent_dim`` and ``sample_shape``.
        discriminator: A network.
        parts: The other parts by name, each with the class it must be an instance of.
        regularizers: Regularizers by name.

    Raises:
        InputError: A part is of the wrong kind, or shapes, class counts or needs do not match.
    """
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(network, nn.Module):
            raise InputError(
                f"{name} must be a network, got {network!r}; "
                f"lightning_gan.create_{name}({network!r}, ...) builds a registered one"
            )
    for attribute in ("latent_dim", "sample_shape"):
        if not hasattr(generator, attribute):
            raise InputError(
                f"{type(generator).__name__} has no attribute {attribute!r}, which every generator "
                "needs; derive it from lightning_gan.Generator or set it"
            )
    for name, (part, base) in parts.items():
        if not isinstance(part, base):
            raise InputError(f"{name} must be a lightning_gan.{base.__name__}, got {part!r}")
    for name in regularizers:
        if not name.isidentifier() or hasattr(nn.ModuleDict, name):
            raise InputError(f"a regularizer cannot be called {name!r}; choose a plain word")
    _check_match(generator, discriminator, "sample_shape")
    _check_match(generator, discriminator, "num_classes")
    for name, regularizer in regularizers.items():
        _check_requirements(name, regularizer, generator, discriminator)


def _check_match(generator: nn.Module, discriminator: nn.Module, attribute: str) -> None:
    ours, theirs = getattr(generator, attribute, None), getattr(discriminator, attribute, None)
    if ours is None or theirs is None:
        return
    if (tuple(ours) != tuple(theirs)) if attribute == "sample_shape" else ours != theirs:
        raise InputError(
            f"generator and discriminator differ in {attribute}: {ours} and {theirs}; "
            "give both the data's"
        )


def _check_requirements(
    name: str, regularizer: Any, generator: nn.Module, discriminator: nn.Module
) -> None:
    unknown = regularizer.differentiates - {"real", "fake"}
    if unknown:
        raise InputError(
            f"regularizer {name!r} differentiates {', '.join(sorted(unknown))}; "
            "only 'real' and 'fake' can be"
        )
    for need in sorted(regularizer.requires):
        if need in DiscriminatorOutput.__dataclass_fields__:
            fulfilled = _output_has(discriminator, need)
        else:
            fulfilled = hasattr(generator, need) or hasattr(discriminator, need)
        if not fulfilled:
            raise InputError(
                f"regularizer {name!r} ({type(regularizer).__name__}) needs {need!r}, which "
                f"neither {type(generator).__name__} nor {type(discriminator).__name__} provides"
            )


def _output_has(discriminator: nn.Module, field: str) -> bool:
    """Whether a discriminator fills an output field, tried out where its shape is known."""
    shape = getattr(discriminator, "sample_shape", None)
    if shape is None:
        return True
    like = next(discriminator.parameters(), torch.zeros(()))
    x = torch.zeros(2, *shape, dtype=like.dtype, device=like.device)
    y = torch.zeros(2, dtype=torch.int64, device=like.device)
    try:
        with torch.no_grad(), evaluating(discriminator), randomness.preserved(x.device):
            output = discriminator(x, y if getattr(discriminator, "num_classes", None) else None)
    except Exception:
        return True  # it takes other labels than classes: the first update will tell
    if not isinstance(output, DiscriminatorOutput):
        return field == "logits"
    return getattr(output, field) is not None


def check_options(gan: Any) -> None:
    """Check the numbers and choices of a GANModule against its parts.

    Args:
        gan: The module, with its parts and options set.

    Raises:
        InputError: A number is out of range, or an option does not go with a part.
    """
    for name in ("micro_batches", "generator_batch"):
        if type(getattr(gan, name)) is not int or getattr(gan, name) < 1:
            raise InputError(f"{name} must be a whole number from 1, got {getattr(gan, name)!r}")
    limit = gan.max_skipped
    if limit is not None and (type(limit) is not int or limit < 1):
        raise InputError(f"max_skipped must be a whole number from 1, or null, got {limit!r}")
    if gan.fake_labels not in ("real", "uniform"):
        raise InputError(f"fake_labels must be 'real' or 'uniform', got {gan.fake_labels!r}")
    if gan.fake_labels == "uniform" and getattr(gan.generator, "num_classes", None) is None:
        raise InputError("fake_labels='uniform' needs a generator with num_classes")
    for player in Player:
        bounds = {
            name: getattr(gan, name)
            for name in (f"{player.value}_clip_norm", f"{player.value}_clip_value")
        }
        if None not in bounds.values():
            raise InputError(f"give {' or '.join(bounds)}, not both")
        for name, bound in bounds.items():
            if bound is not None and bound <= 0:
                raise InputError(f"{name} must be positive, got {bound}")
    if gan.loss.needs_real_logits_for_generator and gan.generator_batch > 1:
        raise InputError(
            f"{type(gan.loss).__name__} pairs real samples with fakes: generator_batch must be 1, "
            f"got {gan.generator_batch}"
        )
    check_compiled(gan)
    parts = (gan.generator, gan.discriminator, gan.loss)
    coupled = [type(part).__name__ for part in parts if getattr(part, "couples_samples", False)]
    if gan.micro_batches > 1 and coupled:
        warnings.warn(
            f"{', '.join(coupled)} couples the samples of a batch: with micro_batches="
            f"{gan.micro_batches} it sees only those of a piece",
            stacklevel=3,
        )


def check_compiled(gan: Any) -> None:
    """Refuse a compiled discriminator that a regularizer differentiates twice.

    Args:
        gan: The module, with its parts and options set.

    Raises:
        InputError: There is one; torch.compile has no second derivative.
    """
    compiled = gan.discriminator_compile or is_compiled(gan.discriminator)
    twice = [name for name, each in gan.regularizers.items() if each.differentiates]
    if compiled and twice:
        raise InputError(
            f"regularizers {', '.join(twice)} differentiate the discriminator twice, which "
            "torch.compile cannot: leave discriminator_compile false, or leave them out"
        )


def is_compiled(network: nn.Module) -> bool:
    """Whether ``network.compile()`` was called."""
    return network._compiled_call_impl is not None
