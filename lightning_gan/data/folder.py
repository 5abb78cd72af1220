"""Images from a folder of class folders, a folder of images, or a zip of either."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor

from lightning_gan.data.base import ImageData, Images, Split
from lightning_gan.data.broken_files import check_headers, sound
from lightning_gan.data.file_tree import file_tree
from lightning_gan.data.folder_facts import FolderFacts
from lightning_gan.data.folder_layout import read_layout
from lightning_gan.data.holdout import Holdout
from lightning_gan.data.image_files import ImageFiles
from lightning_gan.data.image_headers import read_headers
from lightning_gan.data.source_loader import ImageSource
from lightning_gan.data.window import PixelType, Window
from lightning_gan.errors import InputError


class ImageFolder(ImageData):
    """Images from a folder with one folder for each class, or from a zip of such a folder.

    Classes are numbered in the order of their sorted names; a ``dataset.json`` of StyleGAN's tool
    takes the place of class folders. Images without class folders are unlabeled; a single folder
    around everything counts for nothing. Images are turned upright as their files say, transparent
    ones put on white, animations cut to their first frame. Those of more than 8 bits and of any
    number of channels keep both; where bits differ, all get those of the deepest.

    All headers are read first, and one line tells what was found, what becomes of it and what is
    left out: hidden files, files that Pillow does not read, links to folders read already, pipes.
    A warning tells of what may surprise.

    A fraction of the images, chosen once and for all, is held out for validation and testing; every
    class keeps an image to train on.

    Images that do not fit in memory are read from their files whenever a batch needs them; the
    batches are the same, and a run may go on in the other way than it began. A damaged file is then
    found when its turn comes.

    Args:
        root: The folder or zip file of images.
        channels: 1 for gray, 3 for color, or as many as the files have; None: color where any
            image has color.
        holdout: Fraction of the images held out, in [0, 1). With 0, training, validation and
            testing all use all images.
        in_memory: Decode all images once, when a run starts, and hold them in memory. None: where
            they fit, otherwise a warning says that they are read from their files. False: always
            from their files.
        num_workers: Processes that read files ahead, beside each training process, at least 0; of
            no use to images in memory.
        skip_broken: Decode all images before anything else, and leave out those that cannot be.
        black: The value in the files that is black, for those of more than 8 bits; None: the least
            that there can be.
        white: The value that is white, such as 4095 for 12 bits kept in 16; None: the largest that
            there can be, and 1 of floats.
        **options: Arguments of :class:`~lightning_gan.data.ImageData`; ``image_size`` is needed
            where sizes differ. With ``crop="random"`` another part of an image that is not square
            is kept in every epoch of training, and the middle for validation; images are then read
            from their files.

    Attributes:
        class_names: Name of each class, or None for unlabeled images.

    Raises:
        InputError: The root is absent, not a zip file, has no images, broken ones, ones of
            different sizes without an ``image_size``, or is not laid out as above, or an argument
            is out of range.
    """

    crops = ("center", "random", None)

    def __init__(
        self,
        root: str,
        channels: int | None = None,
        holdout: float = 0.1,
        in_memory: bool | None = None,
        num_workers: int = 0,
        skip_broken: bool = False,
        black: float | None = None,
        white: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if channels is not None and channels < 1:
            raise InputError(f"channels must be at least 1 or null, got {channels}")
        Holdout.check(holdout)
        if num_workers < 0:
            raise InputError(f"num_workers must be at least 0, got {num_workers}")
        if self.crop == "random" and self.image_size is None:
            raise InputError(
                "crop 'random' cuts squares out of images: set image_size to their side"
            )
        if self.crop == "random" and in_memory:
            raise InputError(
                "in_memory must be false or null with crop 'random', which cuts images anew in "
                "every epoch, got true"
            )
        self.root = Path(os.path.expanduser(root))
        self._in_memory = False if self.crop == "random" else in_memory
        self._may_leave = self._in_memory is None
        self.num_workers = num_workers
        tree = file_tree(self.root)
        layout = read_layout(tree)
        headers, broken = read_headers(tree, layout.names)
        if skip_broken:
            layout = sound(tree, layout, headers, broken)
        else:
            check_headers(self.root, layout.names, broken)
        found = [headers[name] for name in layout.names]
        facts = FolderFacts(self.root, layout, found, channels, self.image_size, self.crop)
        facts.check(windowed=(black, white) != (None, None))
        self.class_names = layout.class_names
        self._labels = None if layout.labels is None else torch.tensor(layout.labels)
        self._files = ImageFiles(
            tree, layout.names, facts.native_shape, self.image_size, self.crop,
            pixel_type=facts.pixel_type, black=black, white=white,
        )  # fmt: skip
        self._holdout = Holdout(len(layout.names), holdout, self._labels)
        rank_zero_info(facts.line())
        for said in (*facts.surprises(), self._holdout.shortage()):
            if said:
                rank_zero_warn(f"{self.root}: {said}")

    @property
    def native_shape(self) -> tuple[int, ...]:
        """Shape of the first image, with the channels that all are served with."""
        return self._files.native_shape

    @property
    def file_names(self) -> list[str]:
        """Names of all images below the root, sorted, those held out among them."""
        return list(self._files.names)

    @property
    def pixel_type(self) -> PixelType:
        """Type of the first image's values."""
        return self._files.pixel_type

    @property
    def window(self) -> Window:
        """Which values are black and white."""
        return self._files.window

    @property
    def windowed(self) -> bool:
        """Whether black or white were given."""
        return self._files.windowed

    @property
    def native_classes(self) -> int | None:
        """Number of classes."""
        return None if self.class_names is None else len(self.class_names)

    def source(self, split: Split) -> tuple[ImageSource, Tensor | None] | None:
        """Return the files of one split, or None where the images are held in memory."""
        return None if self._is_in_memory() else self._part(split)

    def load(self, split: Split) -> Images:
        """Decode one split, resized to ``image_size`` where it is given."""
        if split == "test" and self._holdout.size == 0:
            return self._split("train")
        files, labels = self._part(split)
        return self.read(files), labels

    def leave_memory(self) -> bool:
        """Read images from their files from now on, unless memory was asked for."""
        if self._may_leave:
            self._read_from_files(f"memory for {len(self._files)} images could not be allocated")
        return self._may_leave

    def _is_in_memory(self) -> bool:
        """Decide, once and before anything is read, where batches come from."""
        if self._in_memory is None:
            self._in_memory = True
            if short := self.shortage(len(self._files)):
                self._read_from_files(short)
        return self._in_memory

    def _read_from_files(self, reason: str) -> None:
        self._in_memory = False
        rank_zero_warn(
            f"{reason}: they are read from their files in every epoch, which more "
            f"num_workers (now {self.num_workers}) make faster"
        )

    def _part(self, split: Split) -> tuple[ImageSource, Tensor | None]:
        """Return the files and labels of a split."""
        chosen = self._holdout.places(split)
        labels = None if self._labels is None else self._labels[chosen]
        if self.crop == "random" and split == "train":
            return CroppedAnew(self._files, chosen.tolist(), self.seed), labels
        return SomeFiles(self._files, chosen.tolist()), labels


class SomeFiles:
    """Some of the images of a folder.

    Args:
        files: All of them.
        chosen: Which.
    """

    def __init__(self, files: ImageFiles, chosen: Sequence[int]) -> None:
        self.files = files
        self.chosen = chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Tensor:
        return self.files[self.chosen[index]]


class CroppedAnew(SomeFiles):
    """Some of the images of a folder, cropped at random, in every epoch elsewhere.

    Args:
        files: All of them.
        chosen: Which.
        seed: Key of the crops, at least 0.
    """

    def __init__(self, files: ImageFiles, chosen: Sequence[int], seed: int) -> None:
        super().__init__(files, chosen)
        self.seed = seed

    def __getitem__(self, index: int) -> Tensor:
        return self.in_epoch(index, 0)

    def in_epoch(self, index: int, epoch: int) -> Tensor:
        """Return one image as it is in an epoch, from 0."""
        return self.files.image(self.chosen[index], (self.seed, epoch, index))
