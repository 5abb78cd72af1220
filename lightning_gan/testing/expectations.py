"""Saying which component breaks which rule; knows no kind of component."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from lightning_gan.components.spec import Component


class ConformanceError(AssertionError):
    """A component that breaks the contract of its kind; says what was expected of which one."""


def expect(condition: Any, component: Any, sentence: str) -> None:
    """Raise a ConformanceError with the sentence unless the condition holds."""
    if not condition:
        raise failure(component, sentence)


def failure(component: Any, sentence: str) -> ConformanceError:
    """Return the error that says a sentence of a component, an object or a class."""
    name = component.__name__ if isinstance(component, type) else type(component).__name__
    return ConformanceError(f"{name}: {sentence}")


def expect_tensor(
    component: Component,
    value: Any,
    shape: tuple[Any, ...],
    dtype: torch.dtype,
    what: str = "its result",
) -> None:
    """Expect a finite tensor; an ellipsis at the end of the shape stands for any dimensions."""
    expect(isinstance(value, Tensor), component, f"{what} must be a tensor, got {value!r}")
    fixed = shape[:-1] if shape[-1:] == (...,) else shape
    fits = value.shape[: len(fixed)] == fixed and (fixed != shape or value.ndim == len(fixed))
    listing = ", ".join("..." if size is ... else str(size) for size in shape)
    expect(
        fits and value.dtype == dtype,
        component,
        f"{what} must be {dtype} of shape ({listing}), got {value.dtype} of shape "
        f"{tuple(value.shape)}",
    )
    expect(bool(value.isfinite().all()), component, f"{what} must be finite")


def close(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one shape and, up to rounding, the same values."""
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-5, atol=1e-6)


@contextmanager
def own_randomness() -> Iterator[None]:
    """Run the checks from a fixed seed and leave the global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
