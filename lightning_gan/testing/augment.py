"""The check of augmentations."""

from __future__ import annotations

import torch

from lightning_gan.augments.base import Augment
from lightning_gan.testing.base import (
    ANY_SHAPE,
    N,
    check_any,
    check_device,
    check_double_backward,
    check_rebuilding,
    observe,
)
from lightning_gan.testing.expectations import expect, expect_tensor, own_randomness
from lightning_gan.types import Player, Progress


def check_augment(augment: Augment, *, sample_shape: tuple[int, ...] = ANY_SHAPE) -> None:
    """Check an augmentation.

    Args:
        augment: The augmentation.
        sample_shape: Shape of the samples to try it on.

    Raises:
        ConformanceError: The augmentation breaks its contract.
    """
    with own_randomness():
        check_any(augment, Augment)
        for dtype in (torch.float32, torch.float64):
            x = torch.rand(N, *sample_shape, dtype=dtype) * 2 - 1
            before = x.clone()
            expect_tensor(augment, augment(x), (N, *sample_shape), dtype)
            expect(torch.equal(x, before), augment, "must not change its input in place")
        meta = torch.zeros(N, *sample_shape, device="meta")
        check_device(augment, lambda augment: augment(meta))
        check_double_backward(augment, lambda x: augment(x) ** 3, x.float(), None)
        for phases in ((), tuple(Player)):
            observe(augment, Progress(batches=1), phases)
            expect_tensor(augment, augment(x.float()), (N, *sample_shape), torch.float32)
        check_rebuilding(augment)
