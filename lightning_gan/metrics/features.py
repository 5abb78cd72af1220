"""What feature-based metrics look at: features and class logits of images, and who computes them.

The extractors themselves live in files of their own (judge, inception).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.files.fingerprint import fingerprint_of_weights
from lightning_gan.types import SampleRange, range_bounds

Bounds = tuple[float, float]
SYMMETRIC: Bounds = (-1.0, 1.0)


class Features(NamedTuple):
    """What an extractor says about N images.

    Attributes:
        features: float32, shape (N, D).
        class_logits: Raw logits, float32, shape (N, K); None from an extractor without classes.
    """

    features: Tensor
    class_logits: Tensor | None = None


class FeatureExtractor(nn.Module, ABC):
    """Base of the networks that turn images into features; :func:`extract` runs them.

    Attributes:
        name: What score cards call it.
        feature_dim: Number of features D.
        num_classes: Number of classes K that it tells apart, or None.
        resize: What it does to the size of the images, or None.
    """

    name: str
    feature_dim: int
    num_classes: int | None = None
    resize: str | None = None

    @abstractmethod
    def forward(self, images: Tensor) -> Features:
        """Return the features of a batch.

        Args:
            images: float32 in [-1, 1], shape (N, C, H, W).
        """

    def protocol(self) -> dict[str, Any]:
        """Return JSON values that pin down what is computed; scores under others differ."""
        return {
            "name": self.name,
            "sha256": fingerprint_of_weights(self),
            "resize": self.resize,
            "feature_dim": self.feature_dim,
            "num_classes": self.num_classes,
        }


@torch.inference_mode()
def extract(
    extractor: FeatureExtractor,
    images: Tensor,
    batch_size: int = 500,
    bounds: Bounds = SYMMETRIC,
) -> Features:
    """Run an extractor over images of any number, in eval mode and without gradient.

    Float images are rounded to the 256 values of a picture first, so that samples in memory score
    as the same samples do when they are written to files and read again.

    Args:
        extractor: Does the work on its own device; its training mode is put back afterwards.
        images: float in [-1, 1] or uint8 in 0..255, shape (N, C, H, W), on any device.
        batch_size: Images in one pass.
        bounds: Range of float images where it is another; the extractor gets [-1, 1].

    Returns:
        Features and class logits of all images in order, on the extractor's device.

    Raises:
        InputError: ``images`` are none, of another shape or type, or not finite, or ``batch_size``
            is below 1.
    """
    _check_images(images)
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1, got {batch_size}")
    weight = next(extractor.parameters(), images)
    modes = [(layer, layer.training) for layer in extractor.modules()]
    extractor.eval()
    try:
        parts = [
            extractor(from_uint8(to_uint8(part, bounds).to(weight.device)))
            for part in torch.split(images, batch_size)
        ]
    finally:
        for layer, mode in modes:
            layer.training = mode
    logits = [part.class_logits for part in parts if part.class_logits is not None]
    features = torch.cat([part.features for part in parts])
    return Features(features, torch.cat(logits) if logits else None)


def to_uint8(images: Tensor, bounds: Bounds = SYMMETRIC) -> Tensor:
    """Round float images to 0..255, clipping what lies out of bounds; uint8 stays itself."""
    if images.dtype == torch.uint8:
        return images
    low, high = bounds
    scaled = images.float().sub(low).mul(255 / (high - low))
    return scaled.round().clamp(0, 255).to(torch.uint8)


def from_uint8(images: Tensor, bounds: Bounds = SYMMETRIC) -> Tensor:
    """Return uint8 images as new float ones within bounds."""
    low, high = bounds
    return images.float().div_(255 / (high - low)).add_(low)


def pixel_bounds(declared: SampleRange, samples: Tensor) -> Bounds:
    """Return which values of samples are the pixels 0 and 255.

    Args:
        declared: Their range, as ``sample_range`` says; None is [-1, 1].
        samples: Where the range is "free": what has the least and the largest value.
    """
    if declared != "free" or samples.numel() == 0:
        return range_bounds(declared) or SYMMETRIC
    low, high = samples.min().item(), samples.max().item()
    return (low, high) if low < high else (low, low + 1.0)


def checked_logits(class_logits: Tensor, num_classes: int) -> Tensor:
    """Return class logits without their graph after checking them.

    Args:
        class_logits: Raw logits, float, shape (N, K).
        num_classes: Number of classes K.

    Raises:
        InputError: They have another shape or type, or are not finite.
    """
    shape = tuple(class_logits.shape)
    if class_logits.ndim != 2 or shape[1] != num_classes or not class_logits.is_floating_point():
        raise InputError(
            f"class_logits must be floats of shape (N, {num_classes}), "
            f"got {class_logits.dtype} of shape {shape}"
        )
    if not class_logits.isfinite().all():
        raise InputError("class_logits must be finite, got NaN or infinity")
    return class_logits.detach()


def _check_images(images: Tensor) -> None:
    shape = tuple(images.shape)
    if images.ndim != 4 or 0 in shape:
        raise InputError(f"images must have the shape (N, C, H, W), got {shape}")
    if images.dtype == torch.uint8:
        return
    if not images.is_floating_point():
        raise InputError(f"images must be uint8 or float in [-1, 1], got {images.dtype}")
    if not images.isfinite().all():
        raise InputError("images must be finite, got NaN or infinity")
