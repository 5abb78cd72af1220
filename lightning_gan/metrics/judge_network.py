"""The judge's network: a small convolutional classifier for images of any size."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.metrics.features import FeatureExtractor, Features


class Judge(FeatureExtractor):
    """Classify images by a small convolutional network.

    It is trained by :func:`~lightning_gan.metrics.judge.judge_for`. Features
    are the 128 values before the last layer, after their ReLU. The network adapts to any C, H, W:
    the first convolution takes images to a grid of 12 to 23 places a side (smaller images keep
    theirs).

    Args:
        sample_shape: Shape of one image, (C, H, W).
        num_classes: Number of classes K.

    Attributes:
        test_accuracy: Share of the test images that it classifies correctly; NaN before training.
        recipe: What it was trained on and how, JSON values; empty before training.
    """

    name = "judge"
    feature_dim = 128
    num_classes: int

    def __init__(self, sample_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        channels, height, width = sample_shape
        stride = _stem_stride(min(height, width))
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes
        self.test_accuracy = math.nan
        self.recipe: dict[str, Any] = {}
        places = math.ceil(height / (4 * stride)) * math.ceil(width / (4 * stride))
        self.body = nn.Sequential(
            *_convolution(channels, 32, kernel=2 * stride + 1, stride=stride),
            *_convolution(32, 32),
            nn.MaxPool2d(2, ceil_mode=True),
            *_convolution(32, 64),
            *_convolution(64, 64),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Flatten(),
            nn.Linear(64 * places, self.feature_dim, bias=False),
            nn.BatchNorm1d(self.feature_dim),
            nn.ReLU(),
        )
        self.head = nn.Linear(self.feature_dim, num_classes)
        self.to(memory_format=torch.channels_last)  # faster on CPUs

    def forward(self, images: Tensor) -> Features:
        """Return the features and class logits of a batch.

        Args:
            images: float32 in [-1, 1], shape (N, C, H, W).

        Raises:
            InputError: The images are not of the shape that it was trained on.
        """
        if tuple(images.shape[1:]) != self.sample_shape:
            raise InputError(
                f"the judge was trained on images of shape {self.sample_shape}, "
                f"got {tuple(images.shape[1:])}: train one on data of the same shape"
            )
        features = self.body(images)
        return Features(features, self.head(features))

    def protocol(self) -> dict[str, Any]:
        """Return the protocol of the base, the test accuracy, and the training."""
        return {
            **super().protocol(),
            "test_accuracy": self.test_accuracy,
            "training": self.recipe,
        }


def _convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def _stem_stride(side: int) -> int:
    """Return the power of two that leaves 12 to 23 places, or 1 for smaller images."""
    return int(max(1, 2 ** math.floor(math.log2(side / 12))))
