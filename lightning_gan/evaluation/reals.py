"""Real images for an evaluation, from our data modules or anyone's."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

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

from lightning_gan.data.base import ImageData
from lightning_gan.errors import InputError
from lightning_gan.game.checks import split_batch
from lightning_gan.metrics.features import to_uint8

Split = Literal["train", "test"]


class Reals(NamedTuple):
    """Real images.

    Attributes:
        images: uint8, shape (N, C, H, W).
        labels: Classes, int64, shape (N,), or None.
        order: Which images of the split these are, in words.
        num_classes: Classes among all labels of the split where these can be seen without its
            images, or among the labels here; None without labels.
    """

    images: Tensor
    labels: Tensor | None
    order: str
    num_classes: int | None = None


def real_images(data: LightningDataModule, split: Split, n: int | None = None) -> Reals:
    """Return images of a split, the same ones on every call where the data module allows it.

    Of more than n images it is a subset that depends on the two numbers alone. An ImageData gives
    the labels that the data have, whether batches serve them or not. Of any other data module the
    images are read from the dataset of the split's DataLoader, in [-1, 1] or as uint8, in this
    process and with random transforms of a fixed seed; neither global random states nor the
    loader's generator change.

    A loader of another kind, over an IterableDataset, or with a sampler or batch sampler of its
    own, is asked for its first n images. They are a fair sample only if it shuffles, and the same
    on every call, whatever the global seed, only if it does not; and what it keeps besides its
    generator goes on from there.

    Args:
        data: The data module, prepared and set up.
        split: "train" or "test".
        n: How many at most; None for all.

    Raises:
        InputError: The samples are not images, or the split has no loader of its own.
    """
    if isinstance(data, ImageData):
        count, chosen = data.count(split), None
        if n is not None and n < count:
            chosen = torch.from_numpy(np.random.default_rng(0).permutation(count)[:n])
        images, labels = data.images(split, labels=True, indices=chosen)
        _check_shape(images)
        return Reals(images, labels, "all" if chosen is None else "subset")
    return _collect(_loader(data, split), n)


def set_up(data: LightningDataModule) -> None:
    """Let a data module that is not ours read its files; ours do when they are asked."""
    if not isinstance(data, ImageData):
        data.setup("fit")
        data.setup("test")


def number_of_classes(data: LightningDataModule, reals: Reals) -> int | None:
    """Return the number of classes K that the data have, None without labels."""
    if reals.labels is None:
        return None
    if isinstance(data, ImageData):
        return data.native_classes
    known = getattr(data, "num_classes", None)
    return reals.num_classes if known is None else int(known)


def fingerprint(images: Tensor) -> str:
    """Return the SHA-256 of uint8 images: their shape and bytes."""
    digest = hashlib.sha256(str(tuple(images.shape)).encode())
    digest.update(images.contiguous().numpy().data)
    return digest.hexdigest()


def _loader(data: LightningDataModule, split: Split) -> Iterable[Any]:
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


def _collect(loader: Iterable[Any], n: int | None) -> Reals:
    places = _places(loader)
    if places is None or not isinstance(loader, DataLoader):
        with _random_states_kept(getattr(loader, "generator", None)):
            images, labels = _gather(loader, n)
        return Reals(images, labels, "as the loader gave them", _count(labels))
    part = n is not None and n < len(places)
    if part:
        places = [places[i] for i in np.random.default_rng(0).permutation(len(places))[:n]]
    own: DataLoader[Any] = DataLoader(
        loader.dataset, loader.batch_size, sampler=places, collate_fn=loader.collate_fn
    )
    with _random_states_kept(None):
        torch.default_generator.manual_seed(0)  # torch.manual_seed would seed the devices too
        np.random.seed(0)
        random.seed(0)
        images, labels = _gather(own, n)
    classes = _count(labels, _all_labels(loader.dataset))
    return Reals(images, labels, "subset" if part else "all", classes)


def _places(loader: Iterable[Any]) -> Sequence[int] | None:
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
def _random_states_kept(generator: torch.Generator | None) -> Iterator[None]:
    """Restore the CPU's global random states afterwards, and a loader's generator."""
    own = None if generator is None else generator.get_state()
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if generator is not None and own is not None:
            generator.set_state(own)


def _all_labels(dataset: Dataset[Any]) -> Tensor | None:
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


def _count(*labels: Tensor | None) -> int | None:
    """Return the number of classes, from those gathered first; None where these are none."""
    if labels[0] is None:
        return None
    return 1 + max(int(each.max()) for each in labels if each is not None)


def _gather(loader: Iterable[Any], n: int | None) -> tuple[Tensor, Tensor | None]:
    """Return the first n images of a loader, and their classes where it has some."""
    images, labels, found = [], [], 0
    for batch in _until(loader, n):
        x, y = split_batch(batch)
        _check_shape(x)
        images.append(to_uint8(x).cpu())
        labels.append(y)
        found += len(x)
        if n is not None and found >= n:
            break
    if not images:
        raise InputError("evaluation needs real images, but the data module's loader yields none")
    one_class = all(_is_class(y, len(x)) for x, y in zip(images, labels, strict=True))
    classes = torch.cat(labels)[:n].cpu().long() if one_class else None
    return torch.cat(images)[:n], classes


def _until(loader: Iterable[Any], n: int | None) -> Iterator[Any]:
    """Yield batches; an endless loader may serve n images but not all."""
    if n is None and not hasattr(loader, "__len__"):
        raise InputError(
            "the judge needs all labeled images, but the data module's loader has no length: "
            "set features to inception"
        )
    return iter(loader)


def _is_class(y: Any, n: int) -> bool:
    return isinstance(y, Tensor) and y.shape == (n,) and not y.is_floating_point()


def _check_shape(images: Tensor) -> None:
    if images.ndim != 4:
        raise InputError(
            f"evaluation expects images of shape (C, H, W), the data have samples of shape "
            f"{tuple(images.shape[1:])}: leave evaluation out for them"
        )
