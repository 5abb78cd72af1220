"""Lightning data modules over two resumable loaders of the same batches; imported on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_gan.data.arrays import ArrayImages, save_arrays
    from lightning_gan.data.base import ImageData
    from lightning_gan.data.digits import Digits
    from lightning_gan.data.folder import ImageFolder
    from lightning_gan.data.loader import EpochPermutation, ResumableLoader, TensorLoader
    from lightning_gan.data.mixtures import Mixture, MixtureGrid, MixtureRing
    from lightning_gan.data.random import RandomImages
    from lightning_gan.data.source_loader import ImageSource, SourceLoader
    from lightning_gan.data.stacked_mnist import StackedMNIST
    from lightning_gan.data.torchvision_sets import CIFAR10, MNIST, FashionMNIST

_HOMES = {
    "ArrayImages": "arrays",
    "CIFAR10": "torchvision_sets",
    "Digits": "digits",
    "EpochPermutation": "loader",
    "FashionMNIST": "torchvision_sets",
    "ImageData": "base",
    "ImageFolder": "folder",
    "ImageSource": "source_loader",
    "MNIST": "torchvision_sets",
    "Mixture": "mixtures",
    "MixtureGrid": "mixtures",
    "MixtureRing": "mixtures",
    "RandomImages": "random",
    "ResumableLoader": "loader",
    "SourceLoader": "source_loader",
    "StackedMNIST": "stacked_mnist",
    "TensorLoader": "loader",
    "save_arrays": "arrays",
}

__all__ = [
    "CIFAR10",
    "MNIST",
    "ArrayImages",
    "Digits",
    "EpochPermutation",
    "FashionMNIST",
    "ImageData",
    "ImageFolder",
    "ImageSource",
    "Mixture",
    "MixtureGrid",
    "MixtureRing",
    "RandomImages",
    "ResumableLoader",
    "SourceLoader",
    "StackedMNIST",
    "TensorLoader",
    "save_arrays",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lightning_gan.data' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lightning_gan.data.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
