"""A gradient penalty at points of one's choice, with a centre of one's choice."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.layers.input_gradients import (
    points_between,
    slope_excess,
    slopes,
    squared_slopes,
)
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import DiscriminatorOutput, finite

# What each kind of point differentiates D with respect to.
POINTS = {
    "real": frozenset({"real"}),
    "fake": frozenset({"fake"}),
    "interpolate": frozenset({"points"}),
    "perturbed": frozenset({"points"}),
}


class GradientPenaltyRegularizer(Regularizer):
    r"""Gradient penalty at any point, with any centre and power, one- or two-sided.

    The term is :math:`\big|\, \lVert \nabla_x D(x) \rVert - c \,\big|^p` for each point, one-sided
    :math:`\max(0, \lVert \nabla_x D(x) \rVert - c)^p`. Known ones, with ``weight`` as theirs:

    - c = 1, p = 2, "interpolate": WGAN-GP (Gulrajani et al. 2017, equation 3); one-sided WGAN-LP
      (Petzka et al. 2018)
    - c = 0, p = 2, "real" or "fake": R1 or R2 without the factor 1/2 (Mescheder et al. 2018): give
      half of gamma as ``weight``
    - c = 0, p = 6, "interpolate", weight 2: WGAN-div (Wu et al. 2018)
    - c = 0, p = 2, "interpolate": the zero-centred penalty of Thanh-Tung et al. (2019)
    - c = 1, p = 2, "perturbed": DRAGAN as its paper writes it, with Gaussian noise (Kodali et al.
      2017)

    Norms are those of single samples. Logits of trailing shape and of several heads are summed for
    each sample. At "real" and "fake" the outputs of the loss are used. A conditional D gets the
    real sample's label, at fakes the fake's. The discriminator should have no batch norm.

    Args:
        at: Where the gradient is taken: at "real" samples, at a "fake" of each, at a random point
            on the line between the two ("interpolate"), or at real samples with Gaussian noise
            ("perturbed").
        center: c, at least 0.
        one_sided: Whether slopes below c cost nothing.
        power: p, at least 1: 1 is the norm itself, 2 its square.
        sigma: Standard deviation of the noise of "perturbed", in the units of the samples, above 0.
        weight: Factor of the term, often called lambda, any number.
        interval: Use the term in every ``interval``-th discriminator update, ``interval``-fold; at
            least 1.

    Raises:
        InputError: ``at`` is unknown, ``center`` is negative, ``power`` is below 1, or ``sigma`` is
            not positive.
    """

    def __init__(
        self,
        at: Literal["real", "fake", "interpolate", "perturbed"] = "interpolate",
        center: float = 1.0,
        one_sided: bool = False,
        power: float = 2.0,
        sigma: float = 0.1,
        weight: float = 10.0,
        interval: int = 1,
    ) -> None:
        super().__init__(weight, interval)
        if at not in POINTS:
            raise InputError(f"at must be one of {', '.join(POINTS)}, got {at!r}")
        if not finite(center, "center") >= 0:
            raise InputError(f"center must be a slope from 0, got {center}")
        if not finite(power, "power") >= 1:
            raise InputError(f"power must be at least 1, got {power}")
        if not finite(sigma, "sigma") > 0:
            raise InputError(f"sigma must be positive, got {sigma}")
        self.differentiates = POINTS[at]
        self.at = at
        self.center = center
        self.one_sided = one_sided
        self.power = power
        self.sigma = sigma

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return the penalty of each point, shape (N,)."""
        output, x = self._points(step)
        if self.center == 0 and self.power == 2:  # smooth where the gradient is zero
            return squared_slopes(output, x)
        distance = slope_excess(slopes(output, x), self.center, self.one_sided)
        return distance.square() if self.power == 2 else distance.abs().pow(self.power)

    def _points(self, step: AdversarialStep) -> tuple[DiscriminatorOutput, Tensor]:
        """Return what D says of the points, and the points, in the graph."""
        if self.at == "real":
            return step.real_output, step.real
        if self.at == "fake":
            return step.fake_output, step.fake
        if self.at == "interpolate":
            x = points_between(step.real, step.fake)
        else:
            real = step.real.detach()
            x = (real + self.sigma * torch.randn_like(real)).requires_grad_()
        return step.discriminate(x, step.y), x
