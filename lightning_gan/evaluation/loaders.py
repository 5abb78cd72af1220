"""Loaders of data modules that are not ours: which samples they serve, the same every time."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    Dataset,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
)

from lightning_gan.errors import InputError
from lightning_gan.game import randomness

CPU = torch.device("cpu")


def loader_of(data: LightningDataModule, split: str) -> Iterable[Any]:
    """Return a new loader of a split.

    Raises:
        InputError: The data module has none, or several.
    """
    name = f"{split}_dataloader"
    own = getattr(type(data), name) is not getattr(LightningDataModule, name)
    loader = getattr(data, name)() if own else None
    if loader is None or isinstance(loader, (list, tuple, dict)):
        raise InputError(
            f"evaluation on the split {split!r} needs {type(data).__name__}.{name} to return one "
            f"loader of images, got {'none' if loader is None else type(loader).__name__}: "
            "define it, or choose the other split"
        )
    found: Iterable[Any] = loader
    return found


def places_of(loader: Iterable[Any]) -> Sequence[int] | None:
    """Return which samples of its dataset a loader serves, or None where that cannot be known."""
    # A subclass may serve anything; batches of the loader's own making have no batch_size.
    if type(loader) is not DataLoader or loader.batch_size is None:
        return None
    if type(loader.sampler) is SubsetRandomSampler:
        return [int(place) for place in loader.sampler.indices]
    # An IterableDataset has a sampler of another type.
    whole = type(loader.sampler) in (SequentialSampler, RandomSampler, DistributedSampler)
    return range(len(loader.dataset)) if whole else None  # type: ignore[arg-type]


@contextmanager
def repeatable() -> Iterator[None]:
    """Let random transforms do the same every time, and leave no trace in random states."""
    with randomness.all_preserved(CPU):
        torch.default_generator.manual_seed(0)  # torch.manual_seed would seed the devices too
        np.random.seed(0)
        random.seed(0)
        yield


def labels_of(dataset: Dataset[Any]) -> Tensor | None:
    """Return the labels of a whole dataset where it keeps them apart from its images."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    if isinstance(dataset, TensorDataset):
        return dataset.tensors[1] if len(dataset.tensors) == 2 else None
    if getattr(dataset, "target_transform", None) is not None:
        return None
    try:
        labels = torch.as_tensor(getattr(dataset, "targets", None))
    except (TypeError, ValueError, RuntimeError):  # absent, names, or of unequal lengths
        return None
    return labels if labels.ndim == 1 and len(labels) else None


def checked(loader: Iterable[Any], n: int | None) -> Iterator[Any]:
    """Yield batches; an endless loader may serve n images but not all."""
    if n is None and not hasattr(loader, "__len__"):
        raise InputError(
            "the judge needs all labeled images, but the data module's loader has no length: "
            "set features to inception"
        )
    return iter(loader)
