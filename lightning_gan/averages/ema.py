"""The exponential moving average, measured in images."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from lightning_gan.averages.base import Average
from lightning_gan.errors import InputError

BUFFERS = ("copy", "average", "reestimate")


class EMA(Average):
    r"""Exponential moving average of weights, by images seen (Karras et al. 2018, appendix A.1).

    After every batch of n images each parameter becomes :math:`\beta \bar\theta + (1 - \beta)
    \theta` with :math:`\beta = 0.5^{n / h}`, where the half-life h is ``half_life_kimg`` thousand
    images, but at most ``ramp_up`` times the images seen so far (StyleGAN2's ``ema_rampup``).

    Args:
        half_life_kimg: Half-life in thousands of real images, at least 0; 0 follows without
            averaging.
        ramp_up: Limit of the half-life as a share of the images seen, at least 0; None for no
            limit.
        buffers: What the buffers (batch-norm statistics) do: "copy" those of the trained generator,
            "average" them like parameters, or "reestimate" the statistics of batch norm from
            generated batches whenever the averaged generator is used.

    Raises:
        InputError: A number is negative, or ``buffers`` is none of the three.
    """

    def __init__(
        self,
        half_life_kimg: float = 10.0,
        ramp_up: float | None = 0.05,
        buffers: Literal["copy", "average", "reestimate"] = "copy",
    ) -> None:
        super().__init__()
        if not half_life_kimg >= 0 or not (ramp_up is None or ramp_up >= 0):
            raise InputError(
                f"half_life_kimg and ramp_up must not be negative, got {half_life_kimg}, {ramp_up}"
            )
        if buffers not in BUFFERS:
            raise InputError(f"buffers must be one of {', '.join(BUFFERS)}, got {buffers!r}")
        self.half_life_kimg = half_life_kimg
        self.ramp_up = ramp_up
        self.buffers_rule = buffers
        self.reestimates = buffers == "reestimate"

    def decay(self, images: int, batch: int) -> float:
        """Return beta for a batch of ``batch`` images that ends at ``images`` images."""
        half_life = self.half_life_kimg * 1000
        if self.ramp_up is not None:
            half_life = min(half_life, images * self.ramp_up)
        return float(0.5 ** (batch / half_life)) if half_life > 0 else 0.0

    @torch.no_grad()
    def update(self, averaged: nn.Module, source: nn.Module, images: int, batch: int) -> None:
        """Move ``averaged`` towards ``source`` after a batch of ``batch`` images."""
        average = get_ema_multi_avg_fn(self.decay(images, batch))  # type: ignore[no-untyped-call]
        ours, theirs = list(averaged.parameters()), list(source.parameters())
        if ours:
            average(ours, theirs, None)
        floating = []
        for our, their in zip(averaged.buffers(), source.buffers(), strict=True):
            if self.buffers_rule == "average" and our.is_floating_point():
                floating.append((our, their))
            else:
                our.copy_(their)
        if floating:
            average([our for our, _ in floating], [their for _, their in floating], None)
