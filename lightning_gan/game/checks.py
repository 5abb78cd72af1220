"""Checks of the first batch before the first step, one sentence for each that can be wrong."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.types import SampleRange, describe, finite, fits, range_bounds


def check_samples(
    x: Tensor, sample_shape: tuple[int | None, ...] | None, dtype: torch.dtype
) -> None:
    """Check shape, dtype and finiteness.

    Args:
        x: Samples, shape (N, *sample_shape).
        sample_shape: What the networks expect; entries may be None, for any size.
        dtype: Type of the networks' weights.

    Raises:
        InputError: The samples do not fit the networks.
    """
    if not x.is_floating_point():
        raise InputError(
            f"samples must be floating point, got {x.dtype}; convert images with x / 127.5 - 1"
        )
    if sample_shape is not None and not fits(x.shape[1:], sample_shape):
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
            f"x.to({dtype}), or the networks with network.to({x.dtype}), which a Trainer does as "
            "trainer.precision says"
        )


def check_range(x: Tensor, declared: SampleRange) -> None:
    """Check that samples lie where they are declared to lie, or images where nothing is declared.

    Args:
        x: Samples, shape (N, *sample_shape).
        declared: Range of the data or of the generator; None where neither says one.

    Raises:
        InputError: Samples lie outside of a range that was declared.
    """
    bounds = range_bounds(declared)
    if declared == "free" or (declared is None and x.dim() != 4):
        return
    low, high = x.min().item(), x.max().item()
    if bounds is not None and declared is not None:
        slack = 1e-3 * (bounds[1] - bounds[0])
        if low < bounds[0] - slack or high > bounds[1] + slack:
            raise InputError(
                f"samples are declared to lie in [{bounds[0]:g}, {bounds[1]:g}] (sample_range), "
                f"and those of the first batch lie in [{low:.3g}, {high:.3g}]: scale them, or "
                "declare another range"
            )
        return
    found = f"images lie in [{low:.3g}, {high:.3g}], not in [-1, 1]"
    if low >= 0:
        scale = "2 * x - 1" if high <= 1 else "x / 127.5 - 1"
        warnings.warn(
            f"{found}: map them with {scale}, or declare what they are, such as "
            f"sample_range=({low:.3g}, {high:.3g}), in generator and data module",
            stacklevel=2,
        )
    elif low < -1.001 or high > 1.001:
        warnings.warn(
            f"{found}: a generator that ends in tanh cannot make them; where they are right as "
            "they are, declare sample_range in generator and data module",
            stacklevel=2,
        )


def check_generated(generator: Any, x: Any) -> None:
    """Check that what a generator made has the shape that it declares.

    Raises:
        InputError: It has another.
    """
    expected = generator.sample_shape
    if not isinstance(x, Tensor) or not fits(x.shape[1:], expected):
        raise InputError(
            f"{type(generator).__name__} must generate samples of its sample_shape "
            f"{tuple(expected)}, "
            f"got {describe(x)}"
        )


def check_labels(y: Any, n: int, num_classes: int | None, unlabeled: bool = False) -> None:
    """Check class labels where a network is conditional on K classes.

    Args:
        y: The labels.
        n: Number of samples.
        num_classes: K, or None where there is nothing to check.
        unlabeled: Whether -1, for a sample without a label, is allowed.

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
        raise InputError(f"class labels must be int64 of shape ({n},), got {describe(y)}")
    low, high = (int(y.min()), int(y.max())) if n > 0 else (0, 0)
    if low < (-1 if unlabeled else 0) or high >= num_classes:
        raise InputError(
            f"class labels must lie in 0..{num_classes - 1} (num_classes={num_classes}), "
            f"got {low}..{high}"
        )


def head_factors(given: Any) -> list[float] | None:
    """Return the factors of heads as numbers; None where there are none.

    Raises:
        InputError: They are no list, or empty, or one is no finite number.
    """
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise InputError(
            f"head_weights must be a list of numbers, one for each head, or None, got {given!r}"
        )
    return [finite(weight, f"head_weights[{index}]") for index, weight in enumerate(given)]
