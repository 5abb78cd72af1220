"""Structural dissimilarity of fakes and their targets."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.layers.structural_similarity import gaussian_window, structural_similarity
from lightning_gan.regularizers.base import (
    ReconstructionRegularizer,
    bounds_of,
    check_images,
)
from lightning_gan.step import AdversarialStep
from lightning_gan.types import SampleRange, range_bounds


class SSIMRegularizer(ReconstructionRegularizer):
    r"""1 - SSIM of each fake and its target, which are images (Wang et al. 2004, equation 13).

    .. math:: 1 - \frac{(2 \mu_x \mu_y + C_1)(2 \sigma_{xy} + C_2)}
        {(\mu_x^2 + \mu_y^2 + C_1)(\sigma_x^2 + \sigma_y^2 + C_2)}

    with local means, variances and covariance under a Gaussian window, the mean over all places
    where the window lies within the image, and over channels. Values are counted from the least of
    the samples' range; :math:`C_1 = (0.01 L)^2` and :math:`C_2 = (0.03 L)^2`, where L is its span.

    The target is the real sample of the same place in the batch. The metric ``val/ssim`` of
    ``PairedMetrics`` differs a little: torchmetrics fills the border by reflection.

    Args:
        weight: Factor of the term, any number.
        window: Side of the window in pixels, odd, at least 1; images have at least as many.
        sigma: Standard deviation of the window in pixels, above 0.
        sample_range: Between which values samples lie: "symmetric", "unit" or (low, high), high
            above low. None: as generator or data declare, and [-1, 1] where neither does.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.
        target: Entry of the batch's ``extra`` that holds the targets; None: the real samples.

    Example:
        lightning-gan fit data.image_size=16 regularizers=[ssim]

    Raises:
        InputError: ``window`` is no odd number from 1, ``sigma`` is not positive, or
            ``sample_range`` is none.
    """

    kernel: Tensor

    def __init__(
        self,
        weight: float = 1.0,
        window: int = 11,
        sigma: float = 1.5,
        sample_range: SampleRange = None,
        interval: int = 1,
        target: str | None = None,
    ) -> None:
        super().__init__(weight, interval, target)
        if type(window) is not int or window < 1 or window % 2 == 0:
            raise InputError(f"window must be an odd number from 1, got {window!r}")
        if not sigma > 0:
            raise InputError(f"sigma must be positive, got {sigma}")
        range_bounds(sample_range)
        self.window, self.sigma, self.sample_range = window, sigma, sample_range
        self.register_buffer("kernel", gaussian_window(window, sigma), persistent=False)

    def distance(self, fake: Tensor, target: Tensor, step: AdversarialStep) -> Tensor:
        """Return 1 - SSIM of each pair, shape (N,).

        Raises:
            InputError: They are no images, or smaller than the window.
        """
        low, high = bounds_of(self, self.sample_range, step)
        check_images(self, fake, self.window)
        with torch.autocast(fake.device.type, enabled=False):
            similarity, _ = structural_similarity(fake, target, self.kernel, low, high)
        return 1 - similarity
