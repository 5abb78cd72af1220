"""Pairs of images and smaller ones made of them, from any data module of images."""

from __future__ import annotations

from typing import Any

from pytorch_lightning import LightningDataModule
from torch import Tensor

from lightning_gan import InputError
from lightning_gan.data.base import ImageData
from lightning_gan_superresolution.degrading import Kernel, check_degrading, downsample
from lightning_gan_superresolution.pairs import Pair, PairLoader


class Degraded(LightningDataModule):
    """The images of another data module, each with a smaller one made of it, as ``(large, small)``.

    The other one decides what images there are, their size and order, and which are held out. What
    labels it has are left out. Its images have one size; for folders of others see
    :class:`~lightning_gan_superresolution.PairedFolders`.

    Args:
        data: Where the large images come from, such as ``lightning_gan.data.ImageFolder``.
        scale: How many times smaller the others are, 2 or 4.
        kernel: "bicubic" or "area"; see :func:`~lightning_gan_superresolution.downsample`.

    Attributes:
        sample_shape: Shape of a large image, (C, H, W).
        num_classes: None.
        sample_range: "symmetric": images lie in [-1, 1].

    Raises:
        InputError: An argument is out of range, or the sides are no multiples of ``scale``.
    """

    num_classes = None
    sample_range = "symmetric"

    def __init__(self, data: ImageData, scale: int = 4, kernel: Kernel = "bicubic") -> None:
        super().__init__()
        check_degrading(scale, kernel)
        self.data, self.scale, self.kernel = data, scale, kernel

    def __str__(self) -> str:
        """Return the name and where images come from; Lightning would make every loader for it."""
        return f"{type(self).__name__}, {self.scale} times smaller, of {self.data}"

    @property
    def batch_size(self) -> int:
        """Images in a batch, on each process."""
        return self.data.batch_size

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of a large image.

        Raises:
            InputError: Its sides are no multiples of ``scale``.
        """
        shape = self.data.sample_shape
        if len(shape) != 3 or any(side % self.scale for side in shape[1:]):
            raise InputError(
                f"data must have images whose sides are multiples of scale={self.scale}, got "
                f"{shape}: set image_size of data"
            )
        return shape

    def prepare_data(self) -> None:
        """Fetch what the images come from."""
        self.data.prepare_data()

    def setup(self, stage: str | None = None) -> None:
        """Read the images that a stage needs."""
        self.data.trainer = self.trainer
        self.data.setup(stage)

    def teardown(self, stage: str) -> None:
        """Leave what the images come from."""
        self.data.teardown(stage)

    def train_dataloader(self) -> PairLoader:
        """Return the loader of shuffled pairs."""
        return PairLoader(self.data.train_dataloader(), self._pair)

    def val_dataloader(self) -> PairLoader:
        """Return the loader of all held-out pairs, in order."""
        return PairLoader(self.data.val_dataloader(), self._pair)

    def test_dataloader(self) -> PairLoader:
        """Return the loader of all held-out pairs, in order."""
        return PairLoader(self.data.test_dataloader(), self._pair)

    def predict_dataloader(self) -> PairLoader:
        """Return the loader of all held-out pairs, in order."""
        return PairLoader(self.data.predict_dataloader(), self._pair)

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the training batches."""
        return self.data.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the next training loader go on at a saved place."""
        self.data.load_state_dict(state_dict)

    def _pair(self, batch: Any) -> Pair:
        large: Tensor = batch[0] if isinstance(batch, (tuple, list)) else batch
        return large, downsample(large, self.scale, self.kernel)
