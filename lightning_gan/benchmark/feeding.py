"""Two ways to serve the images of one uint8 tensor for ever: one by one, and all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

Batch = tuple[Tensor, Tensor | None]


class ItemByItem(Dataset[Any]):
    """Images as torchvision's data sets serve them: one PIL image at a time, through transforms.

    Args:
        images: uint8, shape (N, C, H, W).
        labels: int64, shape (N,), or None.
        size: Height and width to which every image is resized when it is asked for.
    """

    def __init__(self, images: Tensor, labels: Tensor | None, size: Sequence[int]) -> None:
        self.images = images.permute(0, 2, 3, 1).numpy()  # (N, H, W, C), as PIL expects
        self.labels = labels
        channels, *native = images.shape[1:]
        resize = [] if native == list(size) else [transforms.Resize(list(size))]
        half = (0.5,) * channels
        self.to_pil = transforms.ToPILImage() if channels > 1 else _gray
        self.transform = transforms.Compose(
            [*resize, transforms.ToTensor(), transforms.Normalize(half, half)]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        x = self.transform(self.to_pil(self.images[index]))
        return x if self.labels is None else (x, int(self.labels[index]))


def _gray(image: np.ndarray[Any, Any]) -> Image.Image:
    return Image.fromarray(image[:, :, 0])


def plain_batches(
    images: Tensor,
    labels: Tensor | None,
    batch_size: int,
    device: torch.device,
    size: Sequence[int] | None = None,
) -> Iterator[Batch]:
    """Serve shuffled batches through torch's DataLoader without workers.

    Args:
        images: uint8, shape (N, C, H, W), on the CPU.
        labels: int64, shape (N,), or None.
        batch_size: Images in a batch, B.
        device: Where the batches go.
        size: Height and width to resize to; None keeps those of the images.

    Yields:
        Images, float32 in [-1, 1] of shape (B, C, *size), and labels or None.
    """
    dataset = ItemByItem(images, labels, size or images.shape[2:])
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=True, drop_last=True)
    while True:
        for batch in loader:
            x, y = (batch, None) if labels is None else batch
            yield x.to(device), None if y is None else y.to(device)


def tuned_batches(
    images: Tensor, labels: Tensor | None, batch_size: int, device: torch.device
) -> Iterator[Batch]:
    """Serve shuffled batches with one index_select and one normalization each, on the device.

    Args:
        images: uint8, shape (N, C, H, W).
        labels: int64, shape (N,), or None.
        batch_size: Images in a batch, B.
        device: Where the images are kept and the batches are made.

    Yields:
        Images, float32 in [-1, 1] of shape (B, C, H, W), and labels or None.
    """
    images = images.to(device)
    labels = None if labels is None else labels.to(device)
    whole = len(images) - len(images) % batch_size
    while True:
        order = torch.randperm(len(images), device=device)
        for indices in order[:whole].view(-1, batch_size):
            x = images.index_select(0, indices).float().div_(127.5).sub_(1)
            yield x, None if labels is None else labels.index_select(0, indices)
