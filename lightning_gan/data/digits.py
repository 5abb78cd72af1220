"""scikit-learn's digits, which come with the package."""

from __future__ import annotations

import torch

from lightning_gan.data.base import ImageData, Images, Split

_TEST_IMAGES = 297


class Digits(ImageData):
    """1,797 gray 8x8 images of handwritten digits; nothing to download.

    The test part of the Optical Recognition of Handwritten Digits data set (E. Alpaydin and
    C. Kaynak 1998, UCI Machine Learning Repository) as scikit-learn ships it, 0..16 scaled to
    0..255. 1,500 digits are for training; 297, chosen once and for all and with every class in
    its share, are for validation and testing. The arguments are those of
    :class:`~lightning_gan.data.ImageData`.
    """

    native_shape = (1, 8, 8)
    native_classes = 10

    def load(self, split: Split) -> Images:
        """Read one split from scikit-learn's package data."""
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        pixels, classes = load_digits(return_X_y=True)
        parts = train_test_split(
            pixels, classes, test_size=_TEST_IMAGES, stratify=classes, random_state=0
        )
        pixels, classes = parts[split == "test"], parts[2 + (split == "test")]
        images = torch.from_numpy(pixels).mul(255 / 16).round().to(torch.uint8)
        return images.view(-1, *self.native_shape), torch.from_numpy(classes).long()
