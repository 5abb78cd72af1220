"""Pairs of images from folders: large ones, and their small ones or what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pytorch_lightning import LightningDataModule
from torch import Tensor

from lightning_gan import InputError
from lightning_gan.data.loader import EpochPermutation
from lightning_gan.data.source_loader import SourceLoader
from lightning_gan.data.window import Window
from lightning_gan.sampling.images import read_image
from lightning_gan_superresolution.degrading import Kernel, check_degrading, downsample
from lightning_gan_superresolution.pairs import Pair, PairLoader

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
AS_READ = Window(-1.0, 1.0)  # read_image has scaled them
TURNED = (5, 6, 7, 8)  # orientations of Exif that swap width and height
ORIENTATION = 0x0112


class PairedFolders(LightningDataModule):
    """Images of a folder and smaller ones, as ``(large, small)``, cropped at the same place.

    The small ones are those of another folder, or are made of the large ones when batches are. A
    pair is known by its name: ``bird.png`` belongs to ``bird.jpg`` or ``birdx4.png``, in folders of
    the same name below the two. Images may have any size from a crop on. Training sees a random
    crop of each image in every epoch, turned and mirrored at random; validation the middle. Which
    images are held out is chosen once and for all. Files of 8 and of 16 bits are read whole, and
    whenever a batch needs them: cut images that are much larger than a crop into parts first.

    Args:
        high: Folder of the large images.
        low: Folder of the small ones; None: they are made of the large ones.
        scale: How many times smaller they are, 2 or 4.
        crop: Side of a large crop, a multiple of ``scale``.
        kernel: How small ones are made: "bicubic" or "area".
        channels: 1 for gray, 3 for color.
        holdout: Share of images that are held out, above 0 and below 1.
        flip: Turn and mirror training images at random.
        batch_size: Pairs in a batch, on each process.
        num_workers: Processes that read files ahead, beside each training process.
        seed: Of order, crops and what is held out, at least 0.

    Attributes:
        sample_shape: Shape of a large crop, (C, H, W).
        num_classes: None.
        sample_range: "symmetric": images lie in [-1, 1].

    Raises:
        InputError: A folder is missing or empty, an image has no partner or one of another size, or
            is smaller than a crop, an argument is out of range, or there are too few images.
    """

    num_classes = None
    sample_range = "symmetric"

    def __init__(
        self,
        high: str,
        low: str | None = None,
        scale: int = 4,
        crop: int = 128,
        kernel: Kernel = "bicubic",
        channels: int = 3,
        holdout: float = 0.1,
        flip: bool = True,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_degrading(scale, kernel)
        if type(crop) is not int or crop < scale or crop % scale:
            raise InputError(f"crop must be a multiple of scale={scale}, got {crop!r}")
        if channels not in (1, 3):
            raise InputError(f"channels must be 1 or 3, got {channels!r}")
        if not 0 < holdout < 1:
            raise InputError(f"holdout must lie between 0 and 1, got {holdout!r}")
        for name, number, least in (
            ("batch_size", batch_size, 1),
            ("num_workers", num_workers, 0),
            ("seed", seed, 0),
        ):
            if type(number) is not int or number < least:
                raise InputError(f"{name} must be a whole number from {least}, got {number!r}")
        self.scale, self.crop, self.kernel, self.channels = scale, crop, kernel, channels
        self.flip, self.batch_size, self.num_workers, self.seed = (
            flip,
            batch_size,
            num_workers,
            seed,
        )
        large = _images("high", high)
        self._pairs: list[tuple[Path, Path | None]]
        if low is None:
            self._pairs = [(file, None) for file in large]
        else:
            self._pairs = _paired(Path(high).expanduser(), large, Path(low).expanduser(), scale)
        n = len(self._pairs)
        held = max(1, round(holdout * n))
        if n - held < 1:
            raise InputError(f"high has {n} images, too few to hold {held} out: add some")
        order = np.random.default_rng(0).permutation(n).tolist()
        self._split = {"test": sorted(order[:held]), "train": sorted(order[held:])}
        self._checked = False
        self._train_loader: PairLoader | None = None
        self._resumed: dict[str, Any] = {}

    def __str__(self) -> str:
        """Return the name and the size of batches; Lightning would make every loader for it."""
        return f"{type(self).__name__}, batches of {self.batch_size} crops of {self.crop} pixels"

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of a large crop."""
        return (self.channels, self.crop, self.crop)

    def setup(self, stage: str | None = None) -> None:
        """Look at the sizes of all images, once.

        Raises:
            InputError: One is smaller than a crop, or its partner has another size, or there are
                too few for a batch.
        """
        if not self._checked:
            for large, small in self._pairs:
                _check_sizes(large, small, self.scale, self.crop)
            self._checked = True
        if stage in (None, "fit"):
            rank, world_size = self._process()
            n = len(self._split["train"])
            share = len(EpochPermutation(n, rank=rank, world_size=world_size))
            if share < self.batch_size:
                raise InputError(
                    f"{n} training images are too few for a batch of {self.batch_size} on each of "
                    f"{world_size} processes: set batch_size to {share} or less"
                )

    def train_dataloader(self) -> PairLoader:
        """Return the loader of shuffled pairs, cropped anew in every epoch."""
        shuffle = not getattr(self.trainer, "overfit_batches", 0)
        self._train_loader = self._loader("train", shuffle)
        if self._resumed:
            self._train_loader.load_state_dict(self._resumed)
            self._resumed = {}
        return self._train_loader

    def val_dataloader(self) -> PairLoader:
        """Return the loader of the middles of all held-out pairs, in order."""
        return self._loader("test", shuffle=False)

    def test_dataloader(self) -> PairLoader:
        """Return the loader of the middles of all held-out pairs, in order."""
        return self._loader("test", shuffle=False)

    def predict_dataloader(self) -> PairLoader:
        """Return the loader of the middles of all held-out pairs, in order."""
        return self._loader("test", shuffle=False)

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the training batches."""
        return {} if self._train_loader is None else self._train_loader.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the next training loader go on at a saved place."""
        if self.trainer is None or self.trainer.state.fn == "fit":
            self._resumed = state_dict

    def _loader(self, split: str, shuffle: bool) -> PairLoader:
        rank, world_size = self._process()
        pairs = [self._pairs[place] for place in self._split[split]]
        training = split == "train"
        files: PairFiles = CroppedAnew(self, pairs) if training else PairFiles(self, pairs)
        loader = SourceLoader(
            files, None, self.batch_size, num_workers=self.num_workers, shuffle=shuffle,
            drop_last=training, seed=self.seed, rank=rank, world_size=world_size, window=AS_READ,
        )  # fmt: skip
        return PairLoader(loader, partial(unpacked, like=self))

    def _process(self) -> tuple[int, int]:
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size


class PairFiles:
    """Pairs of files, read one at a time, each as one row of numbers: the middles of both.

    Args:
        data: How they are cropped.
        pairs: The files; without a small one the row holds the large image alone.
    """

    def __init__(self, data: PairedFolders, pairs: Sequence[tuple[Path, Path | None]]) -> None:
        self.scale, self.crop, self.channels = data.scale, data.crop, data.channels
        self.flip, self.seed = data.flip, data.seed
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Tensor:
        large, small = self._read(index)
        height, width = large.shape[1] // self.scale, large.shape[2] // self.scale
        side = self.crop // self.scale
        return self._packed(large, small, (height - side) // 2, (width - side) // 2)

    def _read(self, index: int) -> tuple[Tensor, Tensor | None]:
        large, small = self.pairs[index]
        return (
            read_image(large, self.channels),
            None if small is None else read_image(small, self.channels),
        )

    def _packed(
        self, large: Tensor, small: Tensor | None, top: int, left: int, turn: int = 0
    ) -> Tensor:
        """Return a crop that begins at a place of the small image, and the same one of that."""
        parts = []
        for image, scale in ((large, self.scale), (small, 1)):
            if image is None:
                continue
            side = self.crop * scale // self.scale
            y, x = top * scale, left * scale
            part = torch.rot90(image[:, y : y + side, x : x + side], turn % 4, (1, 2))
            parts.append((part.flip(2) if turn >= 4 else part).flatten())
        return torch.cat(parts)


class CroppedAnew(PairFiles):
    """Pairs of files, in every epoch cropped, turned and mirrored otherwise.

    What becomes of an image is a function of the seed, the epoch and its index.
    """

    def in_epoch(self, index: int, epoch: int) -> Tensor:
        """Return one pair as it is in an epoch, from 0."""
        large, small = self._read(index)
        source = np.random.default_rng((self.seed, epoch, index))
        side = self.crop // self.scale
        room = [length // self.scale - side + 1 for length in large.shape[1:]]
        top, left, turn = source.integers(0, (*room, 8))
        return self._packed(large, small, int(top), int(left), int(turn) if self.flip else 0)


def unpacked(rows: Tensor, like: PairedFolders) -> Pair:
    """Return rows of numbers as pairs of images; small ones that are not there are made."""
    side = like.crop // like.scale
    large, small = rows[:, : like.channels * like.crop**2], rows[:, like.channels * like.crop**2 :]
    images = large.reshape(-1, like.channels, like.crop, like.crop)
    if small.shape[1] == 0:
        return images, downsample(images, like.scale, like.kernel)
    return images, small.reshape(-1, like.channels, side, side)


def _images(name: str, folder: str) -> list[Path]:
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise InputError(f"{name} must be a folder of images, and there is none at {folder}")
    found = sorted(
        file
        for file in root.rglob("*")
        if file.suffix.lower() in ENDINGS and not file.name.startswith(".") and file.is_file()
    )
    if not found:
        raise InputError(f"{name} must be a folder of images, and there are none in {folder}")
    return found


def _paired(
    high: Path, large: Sequence[Path], low: Path, scale: int
) -> list[tuple[Path, Path | None]]:
    """Return each large image with the small one of its name.

    Raises:
        InputError: One has no partner, or two.
    """
    small: dict[Path, Path] = {}
    for file in _images("low", str(low)):
        name = file.relative_to(low).with_suffix("")
        name = name.with_name(name.name.removesuffix(f"x{scale}"))
        if name in small:
            raise InputError(f"low has two images of the name {name}: {small[name]} and {file}")
        small[name] = file
    names = {file: file.relative_to(high).with_suffix("") for file in large}
    lonely = [str(file) for file, name in names.items() if name not in small]
    lonely += [str(file) for name, file in small.items() if name not in set(names.values())]
    if lonely:
        raise InputError(
            f"high and low must hold images of the same names, and {len(lonely)} have no partner, "
            f"such as {lonely[0]}"
        )
    if len(set(names.values())) < len(names):
        raise InputError(f"high has two images of one name in {high}: keep one of them")
    return [(file, small[name]) for file, name in names.items()]


def _check_sizes(large: Path, small: Path | None, scale: int, crop: int) -> None:
    width, height = _size(large)
    if min(width, height) < crop:
        raise InputError(
            f"crop must be at most the side of each image, got {crop}, and {large} is "
            f"{width}x{height}"
        )
    if small is not None:
        found = _size(small)
        if (found[0] * scale, found[1] * scale) != (width, height):
            raise InputError(
                f"scale is {scale}, and {large} is {width}x{height} but {small} "
                f"{found[0]}x{found[1]}: each small image must be exactly {scale} times smaller"
            )


def _size(file: Path) -> tuple[int, int]:
    """Return the upright (width, height) of an image, of most files from their heads."""
    try:
        with Image.open(file) as image:
            width, height = image.size
            turned = image.getexif().get(ORIENTATION) in TURNED
    except Exception:  # a kind that Pillow does not know; read_image says what is wrong
        height, width = read_image(file, None).shape[1:]
        turned = False
    return (height, width) if turned else (width, height)
