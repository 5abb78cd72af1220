"""Gradients of what a discriminator says with respect to its input, one of each sample."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.types import DiscriminatorOutput, widened


def input_gradients(output: DiscriminatorOutput, x: Tensor) -> Tensor:
    """Return the gradient of each sample's logits, which can be differentiated again.

    Args:
        output: What the discriminator said of ``x``. Logits of trailing shape and of several heads
            are summed for each sample.
        x: Its input, shape (N, ...), in the graph.

    Returns:
        Shape (N, ...) with all but N flattened, float32 or wider.
    """
    (gradient,) = torch.autograd.grad(output.total(), x, create_graph=True)
    return widened(gradient).flatten(1)


def squared_slopes(output: DiscriminatorOutput, x: Tensor) -> Tensor:
    """Return the squared gradient norm of each sample, shape (N,); see :func:`input_gradients`."""
    return input_gradients(output, x).square().sum(1)


def slopes(output: DiscriminatorOutput, x: Tensor) -> Tensor:
    """Return the gradient norm of each sample, shape (N,); see :func:`input_gradients`.

    Where a gradient is zero, the norm has the gradient 0.
    """
    norms: Tensor = torch.linalg.vector_norm(input_gradients(output, x), dim=1)
    return norms


def slope_excess(slope: Tensor, center: float, one_sided: bool) -> Tensor:
    """Return how far slopes are from ``center``, or above it alone, shape (N,)."""
    return (slope - center).relu() if one_sided else slope - center


def points_between(real: Tensor, fake: Tensor) -> Tensor:
    """Return a uniformly drawn point between each real sample and the fake of the same place.

    Args:
        real: Real samples, shape (N, ...).
        fake: Fakes, the same shape; autocast may have made them of a lower precision.

    Returns:
        The shape and dtype of ``real``; a leaf that requires a gradient.
    """
    real = real.detach()
    epsilon = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
    points = torch.lerp(fake.detach().to(real.dtype), real, epsilon.to(real.dtype))
    return points.requires_grad_()
