"""Noise on all that the discriminator sees."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.augments.base import Augment
from lightning_gan.errors import InputError
from lightning_gan.types import finite


class InstanceNoiseAugment(Augment):
    r"""Gaussian noise on real samples and fakes (instance noise, Sønderby et al. 2017).

    The discriminator sees :math:`x + \sigma \epsilon` with :math:`\epsilon \sim N(0, I)`: both
    distributions then have density everywhere, and their divergence is finite (Arjovsky & Bottou
    2017). It is meant to fade: ``schedules: {augment.std: {class_path: linear, ...}}``. Samples of
    any shape.

    Args:
        std: sigma, in units of the samples, at least 0; at 0 they are left as they are. Schedules
            reach it.

    Raises:
        InputError: ``std`` is negative.
    """

    def __init__(self, std: float = 0.1) -> None:
        super().__init__()
        self.std = finite(std, "std")
        if self.std < 0:
            raise InputError(f"std must be 0 or more, got {std}")

    def forward(self, x: Tensor) -> Tensor:
        """Add noise to samples, shape (N, *sample_shape)."""
        return x if self.std == 0 else x + self.std * torch.randn_like(x)
