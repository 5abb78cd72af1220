"""Real images for an evaluation, from our data modules or anyone's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from lightning_gan.checks import split_batch
from lightning_gan.data.base import ImageData
from lightning_gan.errors import InputError
from lightning_gan.metrics.features import to_uint8

Split = Literal["train", "test"]


class Reals(NamedTuple):
    """Real images.

    Attributes:
        images: uint8, shape (N, C, H, W).
        labels: Classes, int64, shape (N,), or None.
        order: Which images of the split these are, in words.
    """

    images: Tensor
    labels: Tensor | None
    order: str


def real_images(data: LightningDataModule, split: Split, n: int | None = None) -> Reals:
    """Return images of a split, the same ones on every call where the data module allows it.

    Of an ImageData with more than n images it is a subset that depends on the two numbers alone,
    with the labels that the data have, whether batches serve them or not. Of any other data module
    it is the first n images that the split's loader yields, in [-1, 1] or as uint8.

    Args:
        data: The data module, prepared and set up.
        split: "train" or "test".
        n: How many at most; None for all.

    Raises:
        InputError: The samples are not images, or the split has no loader of its own.
    """
    if isinstance(data, ImageData):
        images, labels = data.images(split, labels=True)
        _check_shape(images)
        if n is None or n >= len(images):
            return Reals(images, labels, "all")
        chosen = torch.from_numpy(np.random.default_rng(0).permutation(len(images))[:n])
        return Reals(images[chosen], None if labels is None else labels[chosen], "subset")
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
    return int(reals.labels.max()) + 1 if known is None else int(known)


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
    return Reals(torch.cat(images)[:n], classes, "as the loader gave them")


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
