"""Which values of samples are black and white in a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from lightning_gan.game.gan import GAN
from lightning_gan.metrics.features import SYMMETRIC, Bounds, pixel_bounds


def shown_bounds(module: Any, samples: Tensor) -> Bounds:
    """Return which values of samples are black and white, as ``Picture`` says."""
    declared = getattr(module, "sample_range", None)
    if declared != "free":
        return pixel_bounds(declared, samples)
    held = module.conditions.held if isinstance(module, GAN) else None
    if held is not None:
        return pixel_bounds(declared, held.real)
    finite = samples[samples.isfinite()].float().cpu().numpy()
    low, high = np.percentile(finite, [1, 99]).tolist() if finite.size else SYMMETRIC
    return (low, high) if low < high else (low, low + 1.0)


def mapped(images: Tensor, bounds: Bounds) -> Tensor:
    """Map values from bounds to [-1, 1], as ``grid`` takes them."""
    low, high = bounds
    if bounds == SYMMETRIC:
        return images
    return images.float().sub(low).mul(2 / (high - low)).sub(1)
