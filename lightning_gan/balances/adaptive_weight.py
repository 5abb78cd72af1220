"""The adaptive weight of the adversarial term."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lightning_gan.balances.base import (
    ADVERSARIAL,
    Balance,
    find_layer,
    gradient_norms,
    named,
    safe_ratio,
    sum_of,
)
from lightning_gan.errors import InputError
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player


class AdaptiveWeight(Balance):
    r"""Adversarial term as strong as the others at the last layer (Esser et al. 2021, equation 7).

    The generator's adversarial term is multiplied by :math:`w \, \lambda` with

    .. math:: \lambda = \frac{\lVert \nabla_{L} \mathcal{L}_{rec} \rVert}
        {\lVert \nabla_{L} \mathcal{L}_{GAN} \rVert + \delta}

    where L is a layer of the generator, usually its last, and :math:`\mathcal{L}_{rec}` the sum of
    the reference terms. No gradient goes through :math:`\lambda`. The discriminator's terms are
    left alone. In an update without one of the two the factor is the last one; a term whose
    gradient is 0, NaN or infinite is treated as :func:`~lightning_gan.balances.base.safe_ratio`
    says. ``generator_weight`` cancels out: set ``weight`` instead, or schedule it.

    Args:
        layer: Dotted name of a parameter of the generator, or of a module whose ``weight`` is
            meant, such as "decoder.conv_out".
        reference: Names of the terms of the numerator; None: all but the adversarial one.
        weight: w, a factor of the result, at least 0.
        largest: Largest :math:`\lambda`, at least 0.
        delta: :math:`\delta`, which keeps the denominator from 0; at least 0.

    Example:
        lightning-gan fit regularizers=[l1] model.balance=adaptive_weight \
            model.balance.layer=layers.2

    Raises:
        InputError: A number is out of range; when the GAN is put together, the generator has no
            such parameter; in training, a term does not depend on it.
    """

    latest: Tensor

    def __init__(
        self,
        layer: str,
        reference: list[str] | None = None,
        weight: float = 1.0,
        largest: float = 1e4,
        delta: float = 1e-4,
    ) -> None:
        super().__init__()
        if not all(number >= 0 for number in (weight, largest, delta)):
            raise InputError(
                f"weight, largest and delta must be 0 or more, got {weight}, {largest} and {delta}"
            )
        if reference is not None and (not reference or ADVERSARIAL in reference):
            raise InputError(
                f"reference must name terms besides {ADVERSARIAL!r}, got {reference}; leave it out "
                "for all of them"
            )
        self.layer = layer
        self.reference = reference
        self.weight = weight
        self.largest = largest
        self.delta = delta
        self.register_buffer("latest", torch.ones(()))

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Check that the generator has the layer."""
        find_layer(self, generator, self.layer)

    def weights(
        self, player: Player, terms: Mapping[str, Tensor], step: AdversarialStep
    ) -> Mapping[str, Tensor | float]:
        """Return the factor of the generator's adversarial term."""
        if player is not Player.GENERATOR or ADVERSARIAL not in terms or step.generator is None:
            return {}
        others = {name: term for name, term in terms.items() if name != ADVERSARIAL}
        if self.reference is not None:
            others = named(others, self.reference)
        if others and torch.is_grad_enabled():
            pair = {"reference": sum_of(others), ADVERSARIAL: terms[ADVERSARIAL]}
            at = find_layer(self, step.generator, self.layer)
            reference, adversarial = gradient_norms(self, pair, at)
            self.latest.copy_(safe_ratio(reference, adversarial + self.delta, self.largest))
        return {ADVERSARIAL: self.latest * self.weight}
