"""Real images for an evaluation, from our data modules or anyone's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_gan.data.base import ImageData
from lightning_gan.errors import InputError
from lightning_gan.evaluation.loaders import checked, labels_of, loader_of, places_of, repeatable
from lightning_gan.evaluation.reader import KeptConditions, Reader
from lightning_gan.game import randomness
from lightning_gan.game.conditions import classes_of
from lightning_gan.metrics.features import (
    SYMMETRIC,
    Bounds,
    from_uint8,
    pixel_bounds,
    to_uint8,
)

Split = Literal["train", "test"]
AT_ONCE = 500  # images of one batch that is made of data in memory
CPU = torch.device("cpu")


class Reals(NamedTuple):
    """Real images.

    Attributes:
        images: uint8, shape (N, C, H, W).
        labels: Classes, int64, shape (N,), or None.
        order: Which images of the split these are, in words.
        num_classes: Classes among all labels of the split where these can be seen without its
            images, or among the labels here; None without labels.
        bounds: Which values of the data are the pixels 0 and 255.
        conditions: Conditions of the first images, N first, on the CPU; None where there are none,
            or none were asked for.
        n_conditions: How many conditions there are.
    """

    images: Tensor
    labels: Tensor | None
    order: str
    num_classes: int | None = None
    bounds: Bounds = SYMMETRIC
    conditions: Any = None
    n_conditions: int = 0


def real_images(
    data: LightningDataModule,
    split: Split,
    n: int | None = None,
    reader: Reader = Reader(),  # noqa: B008
    conditions: int = 0,
) -> Reals:
    """Return images of a split, the same ones on every call where the data module allows it.

    Of more than n images it is a subset that depends on the two numbers alone. An ImageData gives
    the labels that the data have, whether batches serve them or not. Of any other data module the
    images are read from the dataset of the split's DataLoader, in their declared range or as uint8,
    in this process and with random transforms of a fixed seed; neither global random states nor the
    loader's generator change.

    A loader of another kind, over an IterableDataset, or with a sampler or batch sampler of its
    own, is asked for its first n images. They are a fair sample only if it shuffles, and the same
    on every call, whatever the global seed, only if it does not; and what it keeps besides its
    generator goes on from there.

    Args:
        data: The data module, prepared and set up.
        split: "train" or "test".
        n: How many at most; None for all.
        reader: How batches are read, and the range of their samples.
        conditions: How many conditions to return at most; as many as there is ``ROOM`` for.

    Raises:
        InputError: The samples are not images, or the split has no loader of its own.
    """
    if not isinstance(data, ImageData):
        return _collect(loader_of(data, split), n, reader, conditions)
    count, chosen = data.count(split), None
    if n is not None and n < count:
        chosen = torch.from_numpy(np.random.default_rng(0).permutation(count)[:n])
    order = "all" if chosen is None else "subset"
    if reader.prepares:
        index = torch.arange(count) if chosen is None else chosen
        return _prepared(data, split, index, reader, conditions)._replace(order=order)
    images, labels = data.images(split, labels=True, indices=chosen)
    _check_shape(images)
    return Reals(images, labels, order)


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


def class_shares(data: LightningDataModule, reals: Reals) -> Tensor | None:
    """Return the share of each class that the data have, float64, shape (K,); None without labels.

    It is exact where the data know it, and otherwise that of the real images.
    """
    classes = number_of_classes(data, reals)
    if reals.labels is None or classes is None:
        return None
    known = data.class_shares if isinstance(data, ImageData) else None
    labels = reals.labels[reals.labels >= 0]
    return labels.bincount(minlength=classes).double() if known is None else known


def _prepared(
    data: ImageData, split: Split, index: Tensor, reader: Reader, conditions: int
) -> Reals:
    """Return images as they are read from batches of a module of ours, with the data's labels."""
    native: list[Tensor | None] = []

    def batches() -> Iterator[Any]:
        for part in torch.split(index, AT_ONCE):
            images, labels = data.images(split, labels=True, indices=part)
            native.append(labels)
            x = from_uint8(images)
            served = labels if data.labels else None
            if data.clusters is not None:
                served = data.images(split, indices=part)[1]
            yield x if served is None else (x, served)

    with repeatable():
        found = _gather(batches(), reader, conditions)
    known = [each for each in native if each is not None]
    if sum(map(len, known)) != len(found.images):
        return found
    return found._replace(labels=torch.cat(known))


def _collect(loader: Iterable[Any], n: int | None, reader: Reader, conditions: int) -> Reals:
    places = places_of(loader)
    if places is None or not isinstance(loader, DataLoader):
        with randomness.all_preserved(CPU, getattr(loader, "generator", None)):
            return _gather(checked(loader, n), reader, conditions, n)
    part = n is not None and n < len(places)
    if part:
        places = [places[i] for i in np.random.default_rng(0).permutation(len(places))[:n]]
    own: DataLoader[Any] = DataLoader(
        loader.dataset, loader.batch_size, sampler=places, collate_fn=loader.collate_fn
    )
    with repeatable():
        found = _gather(own, reader, conditions, n)
    all_labels = None if reader.prepares else labels_of(loader.dataset)
    classes = _count(found.labels, all_labels)
    return found._replace(order="subset" if part else "all", num_classes=classes)


def _count(*labels: Tensor | None) -> int | None:
    """Return the number of classes, from those gathered first; None where these are none."""
    if labels[0] is None:
        return None
    return 1 + max(int(each.max()) for each in labels if each is not None)


def _gather(batches: Iterable[Any], reader: Reader, conditions: int, n: int | None = None) -> Reals:
    """Return the first n images of some batches, and their classes where they have some."""
    images, labels, kept, found = [], [], KeptConditions(conditions), 0
    for batch in batches:
        x, y, _ = reader.read(batch)
        _check_shape(x)
        # Of a free range nothing is known before all samples are there.
        free = reader.sample_range == "free"
        pixels = x if free else to_uint8(x, pixel_bounds(reader.sample_range, x))
        images.append(pixels.cpu())
        labels.append(classes_of(y, reader.entry))
        if reader.hands_on(y):
            kept.add(y, len(x))
        found += len(x)
        if n is not None and found >= n:
            break
    if not images:
        raise InputError("evaluation needs real images, but the data module's loader yields none")
    one_class = all(_is_class(y, len(x)) for x, y in zip(images, labels, strict=True))
    classes = torch.cat(labels)[:n].cpu().long() if one_class else None
    samples = torch.cat(images)[:n]
    bounds = pixel_bounds(reader.sample_range, samples)
    return Reals(
        to_uint8(samples, bounds),
        classes,
        "as the loader gave them",
        _count(classes),
        bounds,
        kept.joined(n),
        kept.count(n),
    )


def _is_class(y: Any, n: int) -> bool:
    """Whether every sample has a class; -1 is none."""
    if not isinstance(y, Tensor) or y.shape != (n,) or y.is_floating_point():
        return False
    return bool((y >= 0).all())


def _check_shape(images: Tensor) -> None:
    if images.ndim != 4:
        raise InputError(
            f"evaluation expects images of shape (C, H, W), the data have samples of shape "
            f"{tuple(images.shape[1:])}: leave evaluation out for them"
        )
