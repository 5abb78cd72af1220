"""The slope of a discriminator without a second derivative: from two values close to each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lightning_gan.layers.drawn_alike import drawn_alike
from lightning_gan.step import AdversarialStep
from lightning_gan.types import DiscriminatorOutput, widened


def half_squared_slopes(
    step: AdversarialStep,
    x: Tensor,
    y: Any,
    sigma: float,
    known: Callable[[], DiscriminatorOutput],
) -> Tensor:
    r"""Return :math:`\frac{1}{2} ((D(x + \sigma\epsilon) - D(x)) / \sigma)^2` of each sample.

    Both values are of one D: what draws random numbers (dropout, the augmentation) draws the same
    ones for both. Where nothing draws, D(x) is that of the loss.

    Args:
        step: The update.
        x: Samples, shape (N, ...).
        y: Their condition.
        sigma: Standard deviation of the perturbation.
        known: Returns what D says of ``x``, computed for the loss.

    Returns:
        Shape (N,). Of a D that judges packs of m samples N/m numbers, each the mean over its pack.
        Differences of trailing shape and of several heads are summed for each.
    """
    x = widened(x.detach())
    moved = x + sigma * torch.randn_like(x)
    there, here = drawn_alike(lambda at: step.discriminate(at, y), moved, x, known)
    rises = [
        (a - b).reshape(len(a), -1).sum(1) for a, b in zip(there.heads, here.heads, strict=True)
    ]
    rise = torch.stack(rises).sum(0)
    return 0.5 * len(rise) / len(x) * (rise / sigma).square()
