"""What components are tried on: samples in a declared range, sizes, conditions of a few samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.testing.expectations import expect, told
from lightning_gan.types import SampleRange, describe, map_tensors, range_bounds

N = 4  # samples in every batch of the checks
ANY_SHAPE = (3, 32, 32)  # samples for components that accept any shape
SIZES = (32, 48)  # of entries of a shape that are open

Network = Generator | Discriminator


def samples_in(declared: SampleRange, shape: Sequence[int]) -> Tensor:
    """Return N random samples in a declared range; in [-1, 1] where none is declared."""
    if declared == "free":
        return torch.randn(N, *shape)
    low, high = range_bounds(declared) or (-1.0, 1.0)
    return low + (high - low) * torch.rand(N, *shape)


def closed(shape: Sequence[int | None], size: int) -> tuple[int, ...]:
    """Return a shape with a size in the place of each open entry."""
    return tuple(size if entry is None else entry for entry in shape)


def cases(network: Network, y: Any, sizes: Sequence[int]) -> list[tuple[tuple[int, ...], Any]]:
    """Return the shapes to try a network on, each with the condition of N samples.

    Args:
        network: A network with its attributes as they should be.
        y: A condition, a function that makes one for a size, or None.
        sizes: What to put in the place of open entries.
    """
    shape = ANY_SHAPE if network.sample_shape is None else network.sample_shape
    tried = list(sizes) if None in shape else list(sizes)[:1]
    if isinstance(network, Generator) and not callable(y):
        tried = tried[:1]  # its samples follow the condition
    found = []
    for size in tried:
        own = y
        if callable(y):
            with told(network, f"y must make a condition of {N} samples for the size {size}"):
                own = y(size)
        own = labels_for(network, own)
        check_condition(network, own)
        found.append((closed(shape, size), own))
    return found


def labels_for(network: Network, y: Any) -> Any:
    """Return the given condition of N samples, else class labels where the network takes them."""
    classes = getattr(network, "num_classes", None)
    if y is not None or classes is None:
        return y
    return with_labels(network, None, torch.arange(N) % classes)


def with_labels(network: Network, y: Any, labels: Tensor) -> Any:
    """Return a condition with other class labels, in the entry in which the network has them."""
    entry = getattr(network, "class_entry", None)
    if entry is None:
        return labels
    return {**(y if isinstance(y, Mapping) else {}), entry: labels}


def check_condition(component: Any, y: Any, what: str = "y") -> None:
    """Check that every tensor of a tree is of N samples."""

    def check(tensor: Tensor) -> None:
        expect(
            tensor.dim() > 0 and len(tensor) == N,
            component,
            f"{what} must hold tensors of {N} samples, N first, got {describe(tensor)}; give "
            f"check_component one of {N}",
        )

    map_tensors(check, y)


def input_rows(tree: Any, index: int | Tensor) -> Any:
    """Return one row, as a batch of one, or several of every tensor of a tree."""
    if isinstance(index, int):
        return map_tensors(lambda t: t[index : index + 1], tree)
    return map_tensors(lambda t: t[index], tree)


def described_condition(y: Any) -> str:
    """Return what a condition is, for a sentence."""
    return "no condition" if y is None else f"the condition {describe(y)}"
