"""The hinge loss of several classes."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import relu

from lightning_gan.errors import InputError
from lightning_gan.regularizers.base import Regularizer, labels_of
from lightning_gan.step import AdversarialStep
from lightning_gan.types import DiscriminatorOutput, finite


class MultiHingeRegularizer(Regularizer):
    r"""Multi-class hinge loss of D's class logits (Crammer & Singer 2001; Kavalerov et al. 2021).

    .. math:: \max \left( 0, 1 - C_y(x) + \max_{k \neq y} C_k(x) \right)

    The discriminator minimises it for real samples, the generator for fakes. Unlike cross-entropy
    it is 0 from a margin of 1 on. The discriminator needs ``class_logits``, and data need class
    labels; a sample without one, of label -1, has a term of 0.

    Args:
        discriminator_weight: Factor of the term in the discriminator's objective, any number.
        generator_weight: Factor of the term in the generator's objective, any number.
        discriminator_samples: What the discriminator learns classes from: "real" is the paper's;
            "both" adds that of fakes.
        interval: Use the term in every ``interval``-th update of a player, ``interval``-fold; at
            least 1.

    Example:
        lightning-gan fit generator=acgan discriminator=acgan regularizers=[multi_hinge]

    Raises:
        InputError: ``discriminator_samples`` is unknown, or a number is out of range.
    """

    requires = frozenset({"class_logits"})

    def __init__(
        self,
        discriminator_weight: float = 1.0,
        generator_weight: float = 1.0,
        discriminator_samples: Literal["real", "both"] = "real",
        interval: int = 1,
    ) -> None:
        super().__init__(interval=interval)
        if discriminator_samples not in ("real", "both"):
            raise InputError(
                f"discriminator_samples must be 'real' or 'both', got {discriminator_samples!r}"
            )
        self.discriminator_weight = finite(discriminator_weight, "discriminator_weight")
        self.generator_weight = finite(generator_weight, "generator_weight")
        self.discriminator_samples = discriminator_samples

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return the weighted loss of real samples, or of them and fakes, shape (N,)."""
        term = self._hinge(step.real_output, step.y)
        if self.discriminator_samples == "both":
            term = term + self._hinge(step.fake_output, step.fake_y)
        return self.discriminator_weight * term

    def generator(self, step: AdversarialStep) -> Tensor:
        """Return the weighted loss of fakes, shape (M,)."""
        return self.generator_weight * self._hinge(step.fake_output, step.fake_y)

    def _hinge(self, output: DiscriminatorOutput, y: Any) -> Tensor:
        logits = output.class_logits
        assert logits is not None  # required, and so checked at construction
        labels = labels_of(self, y)
        own = labels.clamp(min=0)[:, None]
        others = torch.scatter(logits, 1, own, -torch.inf).amax(1)
        return relu(1 - logits.gather(1, own).squeeze(1) + others) * (labels >= 0)
