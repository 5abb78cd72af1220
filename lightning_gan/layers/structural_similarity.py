"""Structural similarity of images (Wang et al. 2004), on one scale."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d

K1, K2 = 0.01, 0.03  # Wang et al. 2004, section III


def gaussian_window(size: int, sigma: float) -> Tensor:
    """Return the weights of a window in one dimension, which sum to 1.

    Args:
        size: Number of weights.
        sigma: Standard deviation, in pixels.
    """
    places = torch.arange(size) - (size - 1) / 2
    weights = torch.exp(-0.5 * (places / sigma) ** 2)
    return weights / weights.sum()


def structural_similarity(
    x: Tensor, y: Tensor, window: Tensor, low: float, high: float
) -> tuple[Tensor, Tensor]:
    r"""Return the structural similarity of pairs of images, and its contrast part.

    With local means :math:`\mu`, variances :math:`\sigma^2` and covariance under the window,
    :math:`C_1 = (K_1 L)^2` and :math:`C_2 = (K_2 L)^2`,

    .. math:: SSIM = \frac{2 \mu_x \mu_y + C_1}{\mu_x^2 + \mu_y^2 + C_1} \cdot
        \frac{2 \sigma_{xy} + C_2}{\sigma_x^2 + \sigma_y^2 + C_2}

    (Wang et al. 2004, equation 13), whose second factor is the part of contrast and structure. Both
    are means over channels and over all places where the window lies within the image. The least
    value is moved to 0 first: the first factor is made for light, of which there is none at 0.

    Args:
        x: Images, float32 or wider, shape (N, C, H, W).
        y: Others, the same shape.
        window: Weights of the window in one dimension; H and W are at least as many.
        low: The least value.
        high: The largest value; L = high - low.

    Returns:
        Both of each pair, shape (N,).
    """
    n, channels = x.shape[:2]
    x, y, span = x - low, y - low, high - low
    # Every map is a channel of one image: on CPUs ten times as fast as a batch of maps.
    maps = torch.stack([x, y, x * x, y * y, x * y]).reshape(1, -1, *x.shape[2:])
    each = maps.shape[1]
    window = window.to(x.dtype).expand(each, 1, 1, -1)
    means = conv2d(conv2d(maps, window.transpose(2, 3), groups=each), window, groups=each)
    mu_x, mu_y, xx, yy, xy = means.reshape(5, n, channels, *means.shape[2:])
    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    luminance = (2 * mu_x * mu_y + c1) / (mu_x.square() + mu_y.square() + c1)
    variances = xx - mu_x.square() + yy - mu_y.square()
    contrast = (2 * (xy - mu_x * mu_y) + c2) / (variances + c2)
    return (luminance * contrast).flatten(1).mean(1), contrast.flatten(1).mean(1)
