"""The base class of our data modules: subclasses supply images, this serves batches."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import torch
from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from lightning_gan.data.array_files import ImageRows
from lightning_gan.data.clusters import Clustering
from lightning_gan.data.cropping import Crop, center, scaled
from lightning_gan.data.loader import (
    EpochPermutation,
    ResumableLoader,
    TensorLoader,
    picked_rows,
)
from lightning_gan.data.memory import (
    ImageMemoryError,
    available_memory,
    gigabytes,
    is_out_of_memory,
)
from lightning_gan.data.source_loader import ImageSource, SourceLoader
from lightning_gan.data.window import EIGHT_BITS, PixelType, Window, looks_dark
from lightning_gan.errors import InputError
from lightning_gan.tracking import tracked
from lightning_gan.types import SampleRange

Split = Literal["train", "test"]
Images = tuple[Tensor, Tensor | None]

_AT_ONCE = 1024  # images; bounds the intermediate memory of a resize or conversion
_LOOKED_AT = 32  # images in files, to know their values


class ImageData(LightningDataModule, ABC):
    """Images, in memory as one tensor, served as float batches ``(x, y)`` or ``x``.

    Images are uint8, or of another :attr:`pixel_type`, whose values are served whole: those of
    :attr:`window` become -1 and 1, and what lies outside of it is cut off.

    A subclass defines :attr:`native_shape`, :attr:`native_classes` and :meth:`load`, and
    :meth:`prepare_data` where there is something to download. One whose images may not fit in
    memory defines :meth:`source` as well, and sets :attr:`num_workers`.

    Training batches are shuffled and equally large; each image comes at most once an epoch.
    Validation and test batches keep the order and hold every image once. With several processes
    each sees its own share, and each holds a copy of the images in memory.

    Any LightningDataModule that yields ``(x, y)`` or ``x`` can take the place of this one. The
    command reads two properties, both optional, to fit the networks to the data: ``sample_shape``
    (shape of one sample) and ``num_classes`` (K, or None without labels), before ``setup``; and
    ``network_arguments``, a dict of whatever else constructors of networks take from data. Where
    its samples lie elsewhere than in [-1, 1], an attribute ``sample_range`` says so: "unit" for
    [0, 1], a pair such as (0.0, 50.0), or "free".

    Args:
        batch_size: Images in a batch, on each process.
        image_size: Side in pixels to which images are resized, to a square and with antialiasing,
            when they are loaded; None keeps their size.
        crop: What becomes of images that are not square when they are resized. "center": the
            shorter side gets ``image_size`` and the middle is kept, as torchvision's Resize and
            CenterCrop do. None: all of the image, squashed. Image files know "random", too.
        labels: Yield class labels where the data have them.
        seed: Of the order of training batches and of random crops, at least 0.
        on_device: Keep images that are held in memory on the device that trains, where batches
            are then made; of use on a GPU whose memory they fit.
        clusters: Yield, in place of classes, the numbers of so many equally large groups of images
            that look alike, found without labels when a run starts; at least 2. Samples of all of
            them alike are unconditional. None: no groups.

    Attributes:
        num_workers: Processes that read ahead from a :meth:`source`, beside this one.
        sample_range: Between which values samples lie, as they are served.
        crops: Values of ``crop``.

    Raises:
        InputError: ``batch_size`` or ``image_size`` is below 1, ``clusters`` below 2, ``seed``
            below 0, or there is no such ``crop``.
    """

    crops: tuple[Crop, ...] = ("center", None)
    num_workers: int = 0
    sample_range: SampleRange = "symmetric"

    def __init__(
        self,
        batch_size: int = 64,
        image_size: int | None = None,
        crop: Crop = "center",
        labels: bool = True,
        seed: int = 0,
        on_device: bool = False,
        clusters: int | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1, got {batch_size}")
        if image_size is not None and image_size < 1:
            raise InputError(f"image_size must be at least 1 or null, got {image_size}")
        if crop not in self.crops:
            known = " or ".join("null" if each is None else repr(each) for each in self.crops)
            got = "null" if crop is None else repr(crop)
            raise InputError(f"crop must be {known}, got {got}")
        if seed < 0:
            raise InputError(f"seed must be at least 0, got {seed}")
        self.batch_size = batch_size
        self.image_size = image_size
        self.crop = crop
        self.labels = labels
        self.seed = seed
        self.on_device = on_device
        self.clusters = clusters
        self._images: dict[Split, Images] = {}
        self._sources: dict[Split, tuple[ImageSource, Tensor | None] | None] = {}
        self._clustering = None if clusters is None else Clustering(clusters, self)
        self._looked = False
        self._train_loader: ResumableLoader | None = None
        self._resumed: dict[str, Any] = {}

    def __str__(self) -> str:
        """Return the name and the size of batches; Lightning would make every loader for it."""
        return f"{type(self).__name__}, batches of {self.batch_size}"

    @property
    @abstractmethod
    def native_shape(self) -> tuple[int, ...]:
        """Shape of one image before resizing, (C, H, W); reads headers of images at most."""

    @property
    @abstractmethod
    def native_classes(self) -> int | None:
        """Number of classes K that the data have, None for unlabeled data; reads no image."""

    @abstractmethod
    def load(self, split: Split) -> Images:
        """Read one split.

        Returns:
            Images of :attr:`pixel_type`, shape (N, *native_shape) or (N, *sample_shape), and
            labels, int64 in 0..K-1 of shape (N,), or None.
        """

    @property
    def pixel_type(self) -> PixelType:
        """Type of the images' values."""
        return PixelType.of("uint8")

    @property
    def window(self) -> Window:
        """Which values of images are black and white, served as -1 and 1."""
        return self.pixel_type.window()

    @property
    def windowed(self) -> bool:
        """Whether somebody has said what is black and white."""
        return False

    def source(self, split: Split) -> tuple[ImageSource, Tensor | None] | None:
        """Return one split to be read image by image, or None to load it into memory.

        Returns:
            Images of :attr:`sample_shape`, and labels as :meth:`load` returns them.
        """
        return None

    def leave_memory(self) -> bool:
        """Read images from their files from now on, after memory for them could not be allocated.

        Returns:
            Whether that can be done, and nobody asked for images in memory.
        """
        return False

    @property
    def channel_data(self) -> ImageData | None:
        """The data of one channel, where each is an image of its own with a class of its own.

        A judge then looks at every channel by itself; the class of an image is the number that the
        channels' classes spell, the first channel its highest digit.
        """
        return None

    @property
    def class_shares(self) -> Tensor | None:
        """Probability of each class, float64 of shape (K,); None where only samples tell."""
        return None

    @property
    def from_files(self) -> bool:
        """Whether images are read when they are asked for, and none are held in memory."""
        return self._source("train") is not None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one image as it is served, (C, H, W)."""
        if self.image_size is None:
            return self.native_shape
        return (self.native_shape[0], self.image_size, self.image_size)

    @property
    def num_classes(self) -> int | None:
        """Number of classes K that batches have; None where no labels are served."""
        if self.clusters is not None:
            return self.clusters
        return self.native_classes if self.labels else None

    def setup(self, stage: str | None = None) -> None:
        """Load the images that a stage needs, once, where they are held in memory.

        Raises:
            InputError: The images cannot be read, do not fit in memory, or are too few for one
                training batch.
        """
        self._check_labels(self._served("test")[1])
        if stage in (None, "fit"):
            rank, world_size = self._process()
            images, labels = self._served("train")
            self._check_labels(labels)
            n = len(images)
            self._say_what_is_dark()
            share = len(EpochPermutation(n, rank=rank, world_size=world_size))
            if share < self.batch_size:
                processes = f" on each of {world_size} processes" if world_size > 1 else ""
                raise InputError(
                    f"{n} training images are too few for a batch of {self.batch_size}{processes}: "
                    f"set batch_size to {share} or less"
                )

    def count(self, split: Split) -> int:
        """Return the number of images of a split.

        Args:
            split: "train" or "test".

        Raises:
            InputError: There is no such split, or the images cannot be read or do not fit in
                memory.
        """
        if split not in ("train", "test"):
            raise InputError(f"split must be 'train' or 'test', got {split!r}")
        self.setup("test")  # which says what to do about files that are absent
        return len(self._served(split)[0])

    def images(
        self, split: Split, labels: bool | None = None, indices: Tensor | None = None
    ) -> Images:
        """Return images of a split in 8 bits; they are not to be changed.

        Images in memory are loaded once, others anew on every call. Those of more than 8 bits, of
        which :meth:`pixels` has all, become the 256 steps from black to white.

        Args:
            split: "train" or "test".
            labels: Return the class labels that the data have; None as the batches do.
            indices: Which images, int64 in 0..count(split)-1 of shape (N,); None for all.

        Returns:
            Images, uint8 in 0..255 of shape (N, *sample_shape), and labels, int64 in 0..K-1 of
            shape (N,), or None.

        Raises:
            InputError: There is no such split, or the images cannot be read or do not fit in
                memory.
        """
        pixels, found = self.pixels(split, labels, indices)
        if pixels.dtype == torch.uint8 and self.window == EIGHT_BITS:
            return pixels, found
        parts = [self.window.in_eight_bits(part) for part in torch.split(pixels, _AT_ONCE)]
        return torch.cat(parts), found

    def pixels(
        self, split: Split, labels: bool | None = None, indices: Tensor | None = None
    ) -> Images:
        """Return images of a split in the type that they have; they are not to be changed.

        Args:
            split: "train" or "test".
            labels: Return the class labels that the data have; None as the batches do.
            indices: Which images, int64 in 0..count(split)-1 of shape (N,); None for all.

        Returns:
            Images of :attr:`pixel_type`, shape (N, *sample_shape), and labels as :meth:`images`
            returns them.

        Raises:
            InputError: As :meth:`images`.
        """
        self.count(split)
        images, found = self._served(split)
        if not isinstance(images, Tensor):
            images = self.read(images, indices)
        elif indices is not None:
            images = picked_rows(images, indices)
        if labels is None:
            found = self._labels_of_batches(split)
        if found is None or labels is False:
            return images, None
        return images, found if indices is None else found[indices]

    def train_dataloader(self) -> ResumableLoader:
        """Return the loader of shuffled, equally large batches."""
        # Overfitting means the same batches in every epoch.
        shuffle = not getattr(self.trainer, "overfit_batches", 0)
        self._train_loader = self._loader("train", shuffle=shuffle, drop_last=True)
        if self._resumed:
            self._train_loader.load_state_dict(self._resumed)
            self._resumed = {}
        return self._train_loader

    def val_dataloader(self) -> ResumableLoader:
        """Return the loader of all held-out images, in order."""
        return self._loader("test")

    def test_dataloader(self) -> ResumableLoader:
        """Return the loader of all held-out images, in order."""
        return self._loader("test")

    def predict_dataloader(self) -> ResumableLoader:
        """Return the loader of all held-out images, in order."""
        return self._loader("test")

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the training batches, and where the clusters lie."""
        place = {} if self._train_loader is None else self._train_loader.state_dict()
        return place if self._clustering is None else {**place, **self._clustering.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the next training loader go on at a saved place.

        Lightning saves the loader's state as well, but does not load it from every checkpoint: not
        from those of an epoch's end, nor if ``estimated_stepping_batches`` was read before.

        Raises:
            InputError: The run has another number of clusters.
        """
        if self._clustering is not None:
            self._clustering.load_state_dict(state_dict)
        if self.trainer is None or self.trainer.state.fn == "fit":
            self._resumed = state_dict

    def read(self, source: ImageSource, indices: Tensor | None = None) -> Tensor:
        """Read images of a source into memory, with a thread for each core.

        Args:
            source: Images of :attr:`sample_shape`.
            indices: Which of them, int64, shape (N,); None for all.

        Returns:
            Of :attr:`pixel_type`, shape (N, *sample_shape).

        Raises:
            InputError: They do not fit in the available memory, or one cannot be read.
        """
        chosen = range(len(source)) if indices is None else indices.tolist()
        images = self.allocate(len(chosen))

        def fill(place: int, index: int) -> None:
            images[place] = source[index]

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            filled = pool.map(fill, range(len(chosen)), chosen)
            for _ in tracked(filled, "reading images", len(chosen)):
                pass  # the first error, in order, is raised here
        return images

    def allocate(self, n: int) -> Tensor:
        """Return an uninitialized tensor of :attr:`pixel_type`, shape (n, *sample_shape).

        Raises:
            InputError: It does not fit in the available memory.
        """
        if short := self.shortage(n):
            raise InputError(f"{short}: set image_size to a smaller size")
        return torch.empty((n, *self.sample_shape), dtype=self.pixel_type.dtype)

    def shortage(self, n: int) -> str | None:
        """Return what memory n images need and what is available, or None where they fit."""
        copies = 1 if self.trainer is None else self.trainer.num_devices
        size_of_one = torch.Size(self.sample_shape).numel() * self.pixel_type.dtype.itemsize
        needed = copies * n * size_of_one
        available = available_memory()
        if available is None or needed <= available:
            return None
        size = "x".join(map(str, self.sample_shape))
        return (
            f"{n} images of {size} need {gigabytes(needed)} GB of memory and "
            f"{gigabytes(available)} GB are available"
        )

    def _loader(self, split: Split, **options: Any) -> ResumableLoader:
        images, _ = self._served(split)
        rank, world_size = self._process()
        options |= {"seed": self.seed, "rank": rank, "world_size": world_size}
        options["window"] = self.window
        labels = self._labels_of_batches(split)
        if isinstance(images, Tensor) and self.on_device and self.trainer is not None:
            device = self.trainer.strategy.root_device
            images, labels = images.to(device), None if labels is None else labels.to(device)
        if isinstance(images, (Tensor, ImageRows)):
            return TensorLoader(images, labels, self.batch_size, **options)
        return SourceLoader(
            images, labels, self.batch_size, num_workers=self.num_workers, **options
        )

    def _labels_of_batches(self, split: Split) -> Tensor | None:
        """Return the labels that batches of a split have: clusters, classes, or None."""
        if self._clustering is not None:
            return self._clustering.labels(split)
        return self._served(split)[1] if self.labels else None

    def _served(self, split: Split) -> tuple[Tensor | ImageSource, Tensor | None]:
        """Return the images of a split where batches are to find them, and their labels."""
        try:
            return self._source(split) or self._split(split)
        except (MemoryError, RuntimeError, ImageMemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._images.clear()  # to make room, and since all splits come from one place
            if not self.leave_memory():
                raise InputError(
                    "memory for the images could not be allocated: set image_size to a smaller size"
                ) from error
        self._sources.clear()
        return self._served(split)

    def _source(self, split: Split) -> tuple[ImageSource, Tensor | None] | None:
        if split not in self._sources:
            self._sources[split] = self.source(split)
        return self._sources[split]

    def _split(self, split: Split) -> Images:
        if split not in self._images:
            images, labels = self.load(split)
            if images.shape[1:] != self.sample_shape:
                images = self._resize(images)
            self._images[split] = (images, labels)
        return self._images[split]

    def _resize(self, images: Tensor) -> Tensor:
        from torchvision.transforms.v2 import functional

        resized = self.allocate(len(images))
        side = self.sample_shape[-1]
        outer, (left, top) = (side, side), (0, 0)
        if self.crop is not None:
            outer = scaled(images.shape[3], images.shape[2], side)
            left, top = center(*outer, side)
        for first in range(0, len(images), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            found = images[part]
            if found.dtype != torch.uint8:  # which alone is resized as it is
                found = found.float()
            whole = functional.resize(found, list(outer[::-1]), antialias=True)
            made = whole[..., top : top + side, left : left + side]
            if not (resized.dtype.is_floating_point or made.dtype == torch.uint8):
                made = made.round()
            resized[part] = made.to(resized.dtype)
        return resized

    def _check_labels(self, labels: Tensor | None) -> None:
        """Refuse labels of no class; -1 is one of a network that takes samples without labels."""
        classes = self.native_classes
        if labels is None or classes is None or len(labels) == 0:
            return
        low, high = (int(bound) for bound in labels.aminmax())
        if low < -1 or high >= classes:
            raise InputError(
                f"labels of {type(self).__name__} must lie in 0..{classes - 1} "
                f"(native_classes={classes}), got {low}..{high}"
            )

    def _say_what_is_dark(self) -> None:
        """Say once where images of more than 8 bits use little of what they could."""
        kind = self.pixel_type
        if self._looked or self.windowed or kind.name == "uint8":
            return
        self._looked = True
        images, _ = self._served("train")
        looked = ""
        if not isinstance(images, Tensor):
            n = len(images)
            some = torch.arange(0, n, -(-n // _LOOKED_AT))
            looked = f" (of {n}, {len(some)} were looked at)" if len(some) < n else ""
            images = self.read(images, some)
        values = images.numpy()
        dark = looks_dark(float(values.min()), float(values.max()), kind)
        if dark is not None:
            rank_zero_warn(f"pixels{looked} {dark}")

    def _process(self) -> tuple[int, int]:
        """Return the number of this process and of all processes."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size
