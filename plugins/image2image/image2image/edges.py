"""Handwritten digits and their edges: two domains that anybody has."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from lightning_gan import InputError
from lightning_gan.data import MNIST, Digits, ImageData

Source = Literal["mnist", "digits"]
SOURCES = ("mnist", "digits")
THRESHOLD = 1.0  # of Sobel's magnitude, for images in [0, 1], whose largest is about 5.7


class EdgeDigits(ImageData):
    """The images of another data module, or the edges of these.

    Args:
        digits: The other data module.
        edges: Whether edges are served in place of the images.
        part: Of two images that follow each other in training, which one is served, 0 or 1; None:
            both. Held-out images are all served.
        **options: Arguments of :class:`~lightning_gan.data.ImageData`.
    """

    def __init__(
        self, digits: ImageData, edges: bool, part: int | None = None, **options: Any
    ) -> None:
        super().__init__(labels=False, **options)
        self.digits, self.edges, self.part = digits, edges, part

    @property
    def native_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self.digits.sample_shape

    @property
    def native_classes(self) -> int | None:
        """Number of classes."""
        return self.digits.native_classes

    def prepare_data(self) -> None:
        """Download what is absent."""
        self.digits.prepare_data()

    def load(self, split: Literal["train", "test"]) -> tuple[Tensor, Tensor | None]:
        """Return one split, uint8."""
        images, labels = self.digits.images(split, labels=True)
        if split == "train" and self.part is not None:
            images = images[self.part :: 2]
            labels = None if labels is None else labels[self.part :: 2]
        return (edges_of(images) if self.edges else images), labels


def digits(source: Source, root: str, download: bool, image_size: int) -> ImageData:
    """Return a data module of digits.

    Raises:
        InputError: There is no such source.
    """
    if source not in SOURCES:
        raise InputError(f"source must be mnist or digits, got {source!r}")
    if source == "digits":
        return Digits(image_size=image_size)
    return MNIST(root, download, image_size=image_size)


def edges_of(images: Tensor) -> Tensor:
    """Return where images change: Sobel's gradient is longer than a threshold.

    Args:
        images: uint8 in 0..255, shape (N, C, H, W).

    Returns:
        uint8, 255 at an edge and 0 elsewhere, shape (N, C, H, W).
    """
    n, channels, height, width = images.shape
    across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([across, across.t()])[:, None]
    found = []
    for part in torch.split(images.reshape(-1, 1, height, width), 1024):
        around = pad(part.float().div(255), (1, 1, 1, 1), mode="replicate")
        lengths = conv2d(around, kernels).square().sum(1).sqrt()
        found.append((lengths > THRESHOLD).to(torch.uint8).mul(255))
    return torch.cat(found).view(n, channels, height, width)
