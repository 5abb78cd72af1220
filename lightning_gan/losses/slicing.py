"""The slicing adversarial loss."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.losses.base import AdversarialLoss, LossWrapper
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player


class SlicingLoss(LossWrapper):
    r"""Another loss, with the last layer's direction trained apart (SAN, Takida et al. 2024).

    The discriminator is :math:`D(x) = \langle \omega, h(x) \rangle` with a direction of norm 1. Its
    features h minimise the other loss's half with :math:`\omega` held constant; the direction
    minimises

    .. math::
        J(\langle \omega, h(x) \rangle) - J(\langle \omega, h(G(z)) \rangle)

    with h held constant, where J is the other loss's half of the generator. For ``hinge`` and
    ``wasserstein`` this is the difference of means in a Wasserstein distance along
    :math:`\omega`; for others each sample counts by the slope of J. The generator minimises J,
    which must fall wherever logits lie: that of ``least_squares`` rises above its target.

    Build D with the layer :class:`~lightning_gan.layers.sliced_linear.SlicedLinear`
    (``sliced=true`` of ``mlp`` and ``dcgan``), or return in ``extra`` what it returns as "function"
    and "direction", of the same shapes as the logits, or lists of them. The term of the direction
    is in the log as ``loss/direction``, and part of ``loss/discriminator``. Regularizers that
    differentiate logits train both, features and direction.

    Args:
        loss: The other loss, one that looks at one logit at a time.

    Example:
        lightning-gan fit loss=slicing model.loss.loss=hinge \
            model.discriminator.sliced=true

    Raises:
        InputError: ``loss`` compares samples, has no direction, or plays by itself.
    """

    def __init__(self, loss: AdversarialLoss) -> None:
        super().__init__(loss)
        compares = loss.needs_real_logits_for_generator or loss.couples_samples
        if compares or not loss.directed or loss.plays:
            raise InputError(
                "slicing needs a loss that is a function of one logit at a time, such as hinge, "
                f"got {type(loss).__name__}"
            )
        self.requires = frozenset({*loss.requires, "function", "direction"})

    def play(self, step: AdversarialStep) -> Tensor | Sequence[Tensor]:
        """Return the loss of each head, features and direction apart for the discriminator."""
        if step.player is Player.GENERATOR:
            return self.loss.play(step)
        real, fake = step.real_output.extra, step.fake_output.extra
        pairs = zip(_heads(real["function"]), _heads(fake["function"]), strict=True)
        functions = [self.loss.discriminator(*pair) for pair in pairs]
        pairs = zip(_heads(real["direction"]), _heads(fake["direction"]), strict=True)
        directions = [self.loss.generator(r) - self.loss.generator(f) for r, f in pairs]
        step.report("direction", step.mean(directions))
        losses = [f + d for f, d in zip(functions, directions, strict=True)]
        return losses[0] if len(losses) == 1 else losses


def _heads(logits: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    return [logits] if isinstance(logits, Tensor) else logits
