"""Saying which component breaks which rule; knows no kind of component."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor

from lightning_gan.components.spec import printable
from lightning_gan.types import describe

C = TypeVar("C")
P = ParamSpec("P")


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


@contextmanager
def told(component: Any, expectation: str, mend: str = "") -> Iterator[None]:
    """Turn whatever is raised inside into a ConformanceError.

    Args:
        component: Of whom it is said.
        expectation: What was expected; what was raised follows.
        mend: What to do about it, said last.
    """
    try:
        yield
    except ConformanceError:
        raise
    except Exception as error:  # somebody else's code fails in whatever way it likes
        end = f"; {mend}" if mend else ""
        raise failure(component, f"{expectation}: {said(error)}{end}") from error


def said(error: Exception) -> str:
    """Return the kind of an error and its text, on one line."""
    return f"{type(error).__name__}: {printable(error)}"


def conformance(check: Callable[Concatenate[C, P], None]) -> Callable[Concatenate[C, P], None]:
    """Make a check run from a fixed seed and end in nothing but a ConformanceError."""

    @functools.wraps(check)
    def run(component: C, /, *arguments: P.args, **keywords: P.kwargs) -> None:
        with own_randomness(), told(component, f"must pass {check.__name__}, which ended in"):
            check(component, *arguments, **keywords)

    return run


def expect_tensor(
    component: Any,
    value: Any,
    shape: tuple[Any, ...],
    dtype: torch.dtype,
    what: str = "its result",
    *,
    wider: bool = False,
) -> None:
    """Expect a finite tensor.

    Args:
        component: Whose it is.
        value: What should be one.
        shape: Its shape; None stands for any size, an ellipsis at the end for any dimensions.
        dtype: Its type.
        what: What it is called.
        wider: Whether float64 will do in place of float32.
    """
    expect(isinstance(value, Tensor), component, f"{what} must be a tensor, got {describe(value)}")
    fixed = shape[:-1] if shape[-1:] == (...,) else shape
    sizes = value.shape[: len(fixed)]
    fits = len(sizes) == len(fixed) and (fixed != shape or value.ndim == len(fixed))
    fits = fits and all(s is None or s == size for s, size in zip(fixed, sizes, strict=True))
    dtypes = (dtype, torch.float64) if wider else (dtype,)
    listing = ", ".join({None: "any", ...: "..."}.get(size, str(size)) for size in shape)
    expect(
        fits and value.dtype in dtypes,
        component,
        f"{what} must be {dtype} of shape ({listing}), got {value.dtype} of shape "
        f"{tuple(value.shape)}",
    )
    expect(
        bool(value.isfinite().all()),
        component,
        f"{what} must be finite, got NaN or infinity: guard its divisions, logarithms and powers",
    )


def close(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one shape and, up to rounding, the same values."""
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-5, atol=1e-6)


@contextmanager
def own_randomness() -> Iterator[None]:
    """Run the checks from a fixed seed and leave every global random state as it was."""
    python, arrays = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)  # the CPU's alone: checks run there
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
