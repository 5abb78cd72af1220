"""Structural dissimilarity of fakes and their targets on several scales."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from lightning_gan.errors import InputError
from lightning_gan.layers.structural_similarity import gaussian_window, structural_similarity
from lightning_gan.regularizers.base import (
    ReconstructionRegularizer,
    bounds_of,
    check_images,
)
from lightning_gan.step import AdversarialStep
from lightning_gan.types import SampleRange, range_bounds

LEAST = 1e-4  # of a factor: the root of 0 has no slope, and that of less is no number


class MSSSIMRegularizer(ReconstructionRegularizer):
    r"""1 - MS-SSIM of each fake and its target, which are images (Wang, Simoncelli & Bovik 2003).

    .. math:: 1 - l_M^{\beta_M} \prod_{j=1}^{M} cs_j^{\beta_j}

    Scale j has the images halved j - 1 times by 2x2 means. :math:`cs_j` is the part of contrast and
    structure of SSIM there, and :math:`l_M^{\beta_M} cs_M^{\beta_M}` is all of SSIM on the last
    scale, each the mean over places and channels. A mean below 1e-4 counts as that. The target is
    the real sample of the same place in the batch.

    Args:
        weight: Factor of the term, any number.
        weights: The exponents, each above 0, largest scale first; the paper's five by default.
            Images have ``window`` pixels on a side, or more, on the last scale: 176 at first by
            default. Give fewer for smaller ones, such as [0.3, 0.7] from 22 on.
        window: Side of the Gaussian window in pixels, odd, at least 1.
        sigma: Standard deviation of the window in pixels, above 0.
        sample_range: Between which values samples lie: "symmetric", "unit" or (low, high), high
            above low. None: as generator or data declare, and [-1, 1] where neither does.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.
        target: Entry of the batch's ``extra`` that holds the targets; None: the real samples.

    Example:
        lightning-gan fit data.image_size=32 regularizers=[ms_ssim] \
            model.regularizers.ms_ssim.weights=[0.3,0.7]

    Raises:
        InputError: ``weights`` is empty or has a number that is not positive, ``window`` is no odd
            number from 1, ``sigma`` is not positive, or ``sample_range`` is none.
    """

    kernel: Tensor

    def __init__(
        self,
        weight: float = 1.0,
        weights: Sequence[float] = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333),
        window: int = 11,
        sigma: float = 1.5,
        sample_range: SampleRange = None,
        interval: int = 1,
        target: str | None = None,
    ) -> None:
        super().__init__(weight, interval, target)
        if not weights or not all(math.isfinite(beta) and beta > 0 for beta in weights):
            raise InputError(f"weights must be positive numbers, one a scale, got {weights!r}")
        if type(window) is not int or window < 1 or window % 2 == 0:
            raise InputError(f"window must be an odd number from 1, got {window!r}")
        if not sigma > 0:
            raise InputError(f"sigma must be positive, got {sigma}")
        range_bounds(sample_range)
        self.weights, self.window, self.sigma = weights, window, sigma
        self.sample_range = sample_range
        self.register_buffer("kernel", gaussian_window(window, sigma), persistent=False)

    def distance(self, fake: Tensor, target: Tensor, step: AdversarialStep) -> Tensor:
        """Return 1 - MS-SSIM of each pair, shape (N,).

        Raises:
            InputError: They are no images, or smaller than the window on the last scale.
        """
        low, high = bounds_of(self, self.sample_range, step)
        check_images(self, fake, self.window * 2 ** (len(self.weights) - 1))
        similarity = torch.ones((), device=fake.device, dtype=fake.dtype)
        last = len(self.weights) - 1
        with torch.autocast(fake.device.type, enabled=False):
            for scale, beta in enumerate(self.weights):
                if scale:
                    fake, target = avg_pool2d(fake, 2), avg_pool2d(target, 2)
                whole, contrast = structural_similarity(fake, target, self.kernel, low, high)
                factor = whole if scale == last else contrast
                similarity = similarity * factor.clamp(min=LEAST) ** beta
        return 1 - similarity
