"""Data sets in the formats of torchvision, downloaded on first use."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_gan.data.base import ImageData, Images, Split
from lightning_gan.errors import InputError, nearest


class TorchvisionSet(ImageData):
    """Base of the data sets whose files torchvision can download and read.

    Args:
        root: Folder that holds the data set's own folder.
        download: Download the files where they are absent.
        **options: Arguments of :class:`~lightning_gan.data.ImageData`.

    Attributes:
        folder: The data set's own folder, below ``root``.
        files: Names of its files.
    """

    folder: str
    files: tuple[str, ...]

    def __init__(self, root: str = "data", download: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.root = Path(os.path.expanduser(root))
        self.download = download

    @abstractmethod
    def fetch(self) -> None:
        """Download the files into ``root``."""

    def prepare_data(self) -> None:
        """Download the files that are absent.

        Raises:
            InputError: Files are absent, and the download is off or failed.
        """
        if not self._absent():
            return
        self._check_root()
        if not self.download:
            raise InputError(self._where_to_put())
        try:
            self.fetch()
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{self._where_to_put()} The download failed: {reason}") from error

    def setup(self, stage: str | None = None) -> None:
        """Load the images that a stage needs, once; see :meth:`ImageData.setup`."""
        if self._absent():
            self._check_root()
            raise InputError(self._where_to_put())
        super().setup(stage)

    def _absent(self) -> list[str]:
        return [name for name in self.files if not (self.root / self.folder / name).is_file()]

    def _check_root(self) -> None:
        """Refuse a root that is the data set's own folder, or on the way to it."""
        root = self.root.resolve()
        for parent in root.parents[: len(Path(self.folder).parts)]:
            own = parent / self.folder
            if root in (own, *own.parents) and all((own / name).is_file() for name in self.files):
                raise InputError(
                    f"root is the folder that holds {self.folder}, "
                    f"got {self.root}: set root to {parent}"
                )

    def _where_to_put(self) -> str:
        missing = ""
        if not self.root.is_dir() and self.root.parent.is_dir():
            siblings = [path.name for path in self.root.parent.iterdir() if path.is_dir()]
            missing = f" (there is no folder {self.root}{nearest(self.root.name, siblings)})"
        return (
            f"{type(self).__name__} is not in root {self.root}{missing}: put "
            f"{', '.join(self._absent())} into {self.root / self.folder}, or set root to the "
            f"folder that holds {self.folder}, or download to true."
        )


class MNIST(TorchvisionSet):
    """70,000 gray 28x28 images of handwritten digits (LeCun et al. 1998), 60,000 for training.

    Args:
        root: Folder that holds ``MNIST/raw`` with the four IDX files.
        download: Download the files where they are absent.
        **options: Arguments of :class:`~lightning_gan.data.ImageData`.
    """

    native_shape = (1, 28, 28)
    native_classes = 10
    folder = "MNIST/raw"
    files = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )

    def fetch(self) -> None:
        """Download the files with torchvision, which checks them."""
        from torchvision import datasets

        getattr(datasets, type(self).__name__)(self.root, download=True)

    def load(self, split: Split) -> Images:
        """Read one split from its two IDX files."""
        from torchvision.datasets.mnist import read_image_file, read_label_file

        first = 0 if split == "train" else 2
        images = self._read(self.files[first], read_image_file)
        labels = self._read(self.files[first + 1], read_label_file)
        if len(images) != len(labels):
            raise InputError(
                f"{self.root / self.folder} has {len(images)} images in {self.files[first]} and "
                f"{len(labels)} labels in {self.files[first + 1]}: replace both files"
            )
        return images.unsqueeze(1), labels

    def _read(self, name: str, reader: Callable[[str], Tensor]) -> Tensor:
        path = self.root / self.folder / name
        try:
            return reader(str(path))
        except Exception as error:  # the reader asserts, indexes and reshapes what it finds
            raise InputError(
                f"{path} is damaged or not an IDX file: "
                "replace it, or delete it to download it again"
            ) from error


class FashionMNIST(MNIST):
    """70,000 gray 28x28 images of clothes (Xiao et al. 2017, arXiv:1708.07747), 60,000 to train on.

    Args:
        root: Folder that holds ``FashionMNIST/raw`` with the four IDX files.
        download: Download the files where they are absent.
        **options: Arguments of :class:`~lightning_gan.data.ImageData`.
    """

    folder = "FashionMNIST/raw"


class CIFAR10(TorchvisionSet):
    """60,000 color 32x32 images in 10 classes (Krizhevsky 2009), 50,000 for training.

    Args:
        root: Folder that holds ``cifar-10-batches-py``.
        download: Download the files where they are absent.
        **options: Arguments of :class:`~lightning_gan.data.ImageData`.
    """

    native_shape = (3, 32, 32)
    native_classes = 10
    folder = "cifar-10-batches-py"
    files = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")

    def fetch(self) -> None:
        """Download and unpack the archive with torchvision, which checks the files."""
        from torchvision.datasets import CIFAR10 as Reader

        Reader(self.root, download=True)

    def load(self, split: Split) -> Images:
        """Read one split with torchvision, which checks the files before it unpickles them."""
        from torchvision.datasets import CIFAR10 as Reader
        from torchvision.datasets import cifar

        sums = [
            *Reader.train_list,
            *Reader.test_list,
            (Reader.meta["filename"], Reader.meta["md5"]),
        ]
        for name, md5 in sums:
            path = self.root / self.folder / name
            if not cifar.check_integrity(path, md5):
                raise InputError(
                    f"{path} is damaged (wrong MD5 sum): "
                    "replace it, or delete it to download it again"
                )
        found = Reader(self.root, train=split == "train")
        images = torch.from_numpy(found.data).permute(0, 3, 1, 2).contiguous()
        return images, torch.tensor(found.targets)
