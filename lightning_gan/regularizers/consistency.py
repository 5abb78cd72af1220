"""Consistency of the discriminator under small changes of its input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from lightning_gan.augments.base import Augment
from lightning_gan.errors import InputError
from lightning_gan.layers.flip_and_shift import flip_and_shift
from lightning_gan.layers.logit_distances import logit_distances
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import DiscriminatorOutput, Feedback, finite


class ConsistencyRegularizer(Regularizer):
    r"""Equal logits for an image and a changed one: CR (Zhang et al. 2020), bCR (Zhao et al. 2021).

    The term is :math:`\lambda_{real} (D(x) - D(T(x)))^2 + \lambda_{fake} (D(G(z)) -
    D(T(G(z))))^2`, where T is a random change that leaves a sample what it is. CR is the real part
    alone, the default; bCR is both, with a ``fake_weight`` of 10. By default T flips images left to
    right with probability 1/2 and shifts them by up to ``shift`` pixels. Samples of other shapes
    need an ``augment``.

    T acts on raw samples, before the augmentation of the game, which draws anew for T(x). D(x) is
    that of the loss. Squared differences are averaged over a trailing shape of the logits; heads
    are joined as those of the loss are.

    Args:
        real_weight: Factor of the part of real samples, any number.
        fake_weight: Factor of the part of fakes, any number; at 0 it is not computed.
        interval: Use the term in every ``interval``-th discriminator update, ``interval``-fold; at
            least 1.
        shift: Largest shift in pixels, at least 0.
        flip: Whether images are flipped; False where left and right differ, as in digits.
        augment: T in place of flips and shifts.

    Raises:
        InputError: ``shift`` is negative; or, when the GAN is put together, samples are no images
            of sides above ``shift`` and there is no ``augment``.
    """

    def __init__(
        self,
        real_weight: float = 10.0,
        fake_weight: float = 0.0,
        interval: int = 1,
        shift: int = 4,
        flip: bool = True,
        augment: Augment | None = None,
    ) -> None:
        super().__init__(interval=interval)
        if type(shift) is not int or shift < 0:
            raise InputError(f"shift must be a whole number of pixels from 0, got {shift!r}")
        self.real_weight = finite(real_weight, "real_weight")
        self.fake_weight = finite(fake_weight, "fake_weight")
        self.shift = shift
        self.flip = flip
        self.augment = augment
        if augment is not None:
            self.observes, self.measures = augment.observes, augment.measures

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Check that samples can be changed."""
        if self.augment is not None:
            self.augment.bind(generator, discriminator)
            return
        shape: Any = generator.sample_shape
        sides = [side for side in shape[1:] if side is not None]
        if len(shape) != 3 or min([*sides, self.shift + 1]) <= self.shift:
            raise InputError(
                f"consistency shifts images of shape (C, H, W) by up to {self.shift} pixels, and "
                f"samples have the shape {tuple(shape)}: lower shift, or pass what is to change "
                "them, augment=..."
            )

    def discriminator(self, step: AdversarialStep) -> Mapping[str, Tensor]:
        """Return the weighted parts of real samples and of fakes, scalars."""
        parts = {}
        if self.real_weight != 0:
            distance = self._distance(step, step.real_output, step.real, step.y)
            parts["real"] = self.real_weight * distance
        if self.fake_weight != 0:
            distance = self._distance(step, step.fake_output, step.fake, step.fake_y)
            parts["fake"] = self.fake_weight * distance
        return parts

    def _distance(
        self, step: AdversarialStep, output: DiscriminatorOutput, x: Tensor, y: Any
    ) -> Tensor:
        changed = self.change(x.detach())
        return step.mean(logit_distances(output, step.discriminate(changed, y)))

    def change(self, x: Tensor) -> Tensor:
        """Return T(x), shape (N, *sample_shape)."""
        if self.augment is None:
            return flip_and_shift(x, self.shift, self.flip)
        changed: Tensor = self.augment(x)
        return changed

    def observe(self, feedback: Feedback) -> None:
        """Let T take note of the batch, where it observes."""
        if self.augment is not None:
            self.augment.observe(feedback)
