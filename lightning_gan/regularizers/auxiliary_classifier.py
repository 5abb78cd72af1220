"""The class loss of AC-GANs."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor
from torch.nn.functional import cross_entropy

from lightning_gan.errors import InputError
from lightning_gan.regularizers.base import Regularizer, labels_of
from lightning_gan.step import AdversarialStep
from lightning_gan.types import DiscriminatorOutput


class AuxiliaryClassifierRegularizer(Regularizer):
    r"""Cross-entropy of the discriminator's class logits (Odena et al. 2017, equation 3).

    Both players minimise :math:`-\log P(y \mid x)`: the discriminator for real samples and fakes,
    the generator for fakes. The discriminator needs ``class_logits``, and data need class labels; a
    sample without one, of label -1, has a term of 0.

    Args:
        discriminator_weight: Factor of the term in the discriminator's objective, any number.
        generator_weight: Factor of the term in the generator's objective, any number.
        discriminator_samples: What the discriminator learns classes from: "both" is the paper's
            real samples and fakes, the sum of their cross-entropies; "real" spares it the fakes.
        interval: Use the term in every ``interval``-th update of a player, ``interval``-fold; at
            least 1.

    Example:
        lightning-gan fit generator=acgan discriminator=acgan \
            regularizers=[auxiliary_classifier]

    Raises:
        InputError: ``discriminator_samples`` is unknown, or ``interval`` is below 1.
    """

    requires = frozenset({"class_logits"})

    def __init__(
        self,
        discriminator_weight: float = 1.0,
        generator_weight: float = 1.0,
        discriminator_samples: Literal["both", "real"] = "both",
        interval: int = 1,
    ) -> None:
        super().__init__(interval=interval)
        if discriminator_samples not in ("both", "real"):
            raise InputError(
                f"discriminator_samples must be 'both' or 'real', got {discriminator_samples!r}"
            )
        self.discriminator_weight = discriminator_weight
        self.generator_weight = generator_weight
        self.discriminator_samples = discriminator_samples

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return the weighted cross-entropy of real samples, or of them and fakes, shape (N,)."""
        term = self._cross_entropy(step.real_output, step.y)
        if self.discriminator_samples == "both":
            term = term + self._cross_entropy(step.fake_output, step.fake_y)
        return self.discriminator_weight * term

    def generator(self, step: AdversarialStep) -> Tensor:
        """Return the weighted cross-entropy of fakes, shape (M,)."""
        return self.generator_weight * self._cross_entropy(step.fake_output, step.fake_y)

    def _cross_entropy(self, output: DiscriminatorOutput, y: Any) -> Tensor:
        assert output.class_logits is not None  # required, and so checked at construction
        shares = isinstance(y, Tensor) and y.is_floating_point()
        y = y if shares else labels_of(self, y)
        return cross_entropy(output.class_logits, y, ignore_index=-1, reduction="none")
