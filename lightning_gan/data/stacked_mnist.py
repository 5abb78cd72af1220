"""Stacked MNIST: images of three digits, a thousand modes whose number is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_gan.data.base import Images, Split
from lightning_gan.data.torchvision_sets import MNIST
from lightning_gan.errors import InputError

DIGITS = 3
CLASSES = 10
# Fixed, so that everybody has the same images; the order of batches has a seed of its own.
_CONSTRUCTION_SEEDS: dict[Split, int] = {"train": 0, "test": 1}


class StackedMNIST(MNIST):
    """Three MNIST digits in the channels of one image: 1,000 modes (Metz et al. 2017).

    Which digits make up an image is drawn once, independently for each channel and with a fixed
    seed, from MNIST's training images for "train" and from its test images for "test". Everybody
    has the same images, and of fewer the same first ones. The label is the number that the
    channels spell, 0..999, the first channel its hundreds.

    Modes are not quite equally likely, since MNIST's digits are not: :attr:`class_shares` has the
    exact shares.

    Args:
        root: Folder that holds ``MNIST/raw`` with the four IDX files.
        download: Download the files where they are absent.
        n: Number of training images; there is a sixth as many test images.
        labels: Yield the labels; False makes ``num_classes`` None.
        **options: Arguments of :class:`~lightning_gan.data.ImageData`.

    Raises:
        InputError: ``n`` is below 6.
    """

    native_shape = (DIGITS, 28, 28)
    native_classes = CLASSES**DIGITS

    def __init__(
        self,
        root: str = "data",
        download: bool = True,
        n: int = 60_000,
        labels: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(root=root, download=download, labels=labels, **options)
        if n < 6:
            raise InputError(f"n must be at least 6, got {n}")
        self.n = n
        self._digits: MNIST | None = None

    @property
    def channel_data(self) -> MNIST:
        """The digits of one channel, resized as the stacks are."""
        if self._digits is None:
            self._digits = MNIST(
                root=str(self.root),
                download=self.download,
                image_size=self.image_size,
                crop=self.crop,
            )
        return self._digits

    @property
    def class_shares(self) -> Tensor:
        """Probability of each label in training images, float64 of shape (1000,): products."""
        _, labels = super().load("train")
        assert labels is not None  # MNIST has some
        shares = labels.bincount(minlength=CLASSES).double() / len(labels)
        return torch.einsum("i,j,k->ijk", shares, shares, shares).flatten()

    def fetch(self) -> None:
        """Download MNIST's files."""
        self.channel_data.fetch()

    def load(self, split: Split) -> Images:
        """Stack the digits of one split."""
        digits, labels = super().load(split)
        assert labels is not None  # MNIST has some
        chosen = choose_digits(self.n if split == "train" else self.n // 6, len(digits), split)
        images = digits[chosen.flatten(), 0].view(-1, *self.native_shape)
        place = torch.tensor([CLASSES**2, CLASSES, 1])
        return images, (labels[chosen] * place).sum(dim=1)


def choose_digits(n: int, of: int, split: Split) -> Tensor:
    """Return the numbers of the digits in each image, int64 in 0..of-1, shape (n, 3).

    They are the raw numbers of a generator whose stream NumPy guarantees, modulo ``of``, which
    favors no digit by more than one part in 10^14.
    """
    raw = np.random.PCG64(_CONSTRUCTION_SEEDS[split]).random_raw(DIGITS * n)
    return torch.from_numpy((raw % of).astype(np.int64)).view(n, DIGITS)
