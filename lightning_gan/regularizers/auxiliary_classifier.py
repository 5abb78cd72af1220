"""The class loss of AC-GANs."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from lightning_gan.errors import InputError
from lightning_gan.regularizers.base import Regularizer, labels_of
from lightning_gan.step import AdversarialStep
from lightning_gan.types import DiscriminatorOutput, describe, finite

KINDS = ("classes", "shares", "labels", "values")
SLACK = 1e-3  # by which shares may miss the sum 1


class AuxiliaryClassifierRegularizer(Regularizer):
    r"""Cross-entropy of the discriminator's class logits (Odena et al. 2017, equation 3).

    Both players minimise :math:`-\log P(y \mid x)`: the discriminator for real samples and fakes,
    the generator for fakes. The discriminator needs ``class_logits``, K numbers, and data need a
    condition. What it is decides what P is:

    - "classes": class labels, int64 of shape (N,). The softmax of the logits; a sample without a
      label, -1, has a term of 0.
    - "shares": a probability of each class, shape (N, K): cross-entropy with the softmax.
    - "labels": several labels, zeros and ones of shape (N, K): :math:`\sum_k` of the binary
      cross-entropies, each with the sigmoid of its logit.
    - "values": measured values, shape (N, K): :math:`\frac{1}{2} \sum_k (a_k - y_k)^2`, which is a
      normal distribution around the logits a, but for a constant.

    Args:
        discriminator_weight: Factor of the term in the discriminator's objective, any number.
        generator_weight: Factor of the term in the generator's objective, any number.
        discriminator_samples: What the discriminator learns classes from: "both" is the paper's
            real samples and fakes, the sum of their cross-entropies; "real" spares it the fakes.
        interval: Use the term in every ``interval``-th update of a player, ``interval``-fold; at
            least 1.
        told: What the condition is: "classes", "shares", "labels" or "values".

    Example:
        lightning-gan fit generator=acgan discriminator=acgan \
            regularizers=[auxiliary_classifier]

    Raises:
        InputError: A word is unknown, or ``interval`` is below 1; in training, conditions are of
            another form, or shares or labels are none.
    """

    requires = frozenset({"class_logits"})

    def __init__(
        self,
        discriminator_weight: float = 1.0,
        generator_weight: float = 1.0,
        discriminator_samples: Literal["both", "real"] = "both",
        interval: int = 1,
        told: Literal["classes", "shares", "labels", "values"] = "classes",
    ) -> None:
        super().__init__(interval=interval)
        if told not in KINDS:
            raise InputError(
                f"told must be 'classes', 'shares', 'labels' or 'values', got {told!r}"
            )
        if discriminator_samples not in ("both", "real"):
            raise InputError(
                f"discriminator_samples must be 'both' or 'real', got {discriminator_samples!r}"
            )
        self.discriminator_weight = finite(discriminator_weight, "discriminator_weight")
        self.generator_weight = finite(generator_weight, "generator_weight")
        self.discriminator_samples = discriminator_samples
        self.told = told
        self._seen = False

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return the weighted cross-entropy of real samples, or of them and fakes, shape (N,).

        Raises:
            InputError: The condition is not what ``told`` says.
        """
        if not self._seen:  # of the first batch alone: the host waits for the device
            self._check(step.y)
            self._seen = True
        term = self._cross_entropy(step.real_output, step.y)
        if self.discriminator_samples == "both":
            term = term + self._cross_entropy(step.fake_output, step.fake_y)
        return self.discriminator_weight * term

    def generator(self, step: AdversarialStep) -> Tensor:
        """Return the weighted cross-entropy of fakes, shape (M,)."""
        return self.generator_weight * self._cross_entropy(step.fake_output, step.fake_y)

    def _cross_entropy(self, output: DiscriminatorOutput, y: Any) -> Tensor:
        assert output.class_logits is not None  # required, and so checked at construction
        logits = output.class_logits
        if self.told == "classes":
            if isinstance(y, Tensor) and (y.is_floating_point() or y.dim() == 2):
                raise InputError(
                    f"{type(self).__name__} takes conditions for classes, and got {describe(y)}: "
                    "say what they are, told='labels' (zeros and ones), 'values' (measured ones) "
                    "or 'shares' (a probability of each class)"
                )
            return cross_entropy(logits, labels_of(self, y), ignore_index=-1, reduction="none")
        numbers = self._numbers(y, logits.shape[1]).to(logits.dtype)
        if self.told == "shares":
            return cross_entropy(logits, numbers, reduction="none")
        if self.told == "labels":
            return binary_cross_entropy_with_logits(logits, numbers, reduction="none").sum(1)
        return 0.5 * (logits - numbers).square().sum(1)

    def _numbers(self, y: Any, k: int) -> Tensor:
        """Return a condition as K numbers of each sample, shape (N, K)."""
        if isinstance(y, Tensor) and y.dim() == 1 and k == 1:
            y = y[:, None]
        if not isinstance(y, Tensor) or y.dim() != 2 or y.shape[1] != k:
            raise InputError(
                f"{type(self).__name__} with told={self.told!r} needs a condition of shape "
                f"(N, {k}), as many numbers as class_logits, got "
                f"{'none' if y is None else describe(y)}"
            )
        return y

    def _check(self, y: Any) -> None:
        if self.told not in ("shares", "labels") or not isinstance(y, Tensor) or y.is_meta:
            return
        numbers = y.double()
        low, high = float(numbers.min()), float(numbers.max())
        sound = low >= 0 and high <= 1
        if self.told == "shares" and y.dim() == 2:
            sound = sound and bool(((numbers.sum(1) - 1).abs() < SLACK).all())
        if not sound:
            what = {"shares": "shares of 0 to 1 that sum to 1", "labels": "zeros and ones"}
            raise InputError(
                f"{type(self).__name__} with told={self.told!r} needs {what[self.told]}, got "
                f"numbers from {low:.3g} to {high:.3g}: told='values' takes any"
            )
