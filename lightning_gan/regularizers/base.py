"""The contract of regularizers, and what those share that compare pairs or need classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lightning_gan.components.part import Part
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player, SampleRange, describe, finite, range_bounds, widened

Term = Tensor | Mapping[str, Tensor] | None


class Regularizer(Part):
    """Any further term of a player's objective: a penalty, a reconstruction, a classifier.

    Override :meth:`discriminator`, :meth:`generator` or both. The game takes the mean of what they
    return, times ``weight``, times ``interval`` (lazy regularization, StyleGAN2, Karras et al.
    2020, appendix B: a term used every k-th update counts k-fold). At a weight of 0 the term is not
    computed.

    A lazy term is added to the loss of the updates in which it is due, and makes no step of its
    own. So Adam's rate and betas stay as they are. StyleGAN2 corrects them because it steps k + 1
    times for k batches, once for the term alone: the rate by c = k / (k + 1), betas to the power c.

    Args:
        weight: Factor of the term, any number; schedules reach it.
        interval: Use the term in every ``interval``-th update of its player, at least 1, beginning
            with the first.

    Attributes:
        differentiates: What the term differentiates the discriminator with respect to, a subset
            of {"real", "fake", "points"}. The outputs on real samples and fakes are computed once,
            with the input in the graph, and shared with the loss. "points" are the term's own, such
            as interpolates, which it takes into the graph itself: naming inputs that no term
            differentiates costs time.
        full_precision: The players whose networks run without autocast in the updates in which the
            term is due. None: the discriminator where ``differentiates`` is not empty.
        couples_samples: Whether one sample's term depends on the others of the batch.
        requires: Names the term needs: fields that the discriminator's output must fill
            ("class_logits", "features"), names of its ``extra`` or of the generator's, or methods
            of the generator ("mapping").

    Raises:
        InputError: ``weight`` is no finite number, or ``interval`` no whole number from 1.
    """

    differentiates: frozenset[str] = frozenset()
    full_precision: frozenset[Player] | None = None
    couples_samples: bool = False
    requires: frozenset[str] = frozenset()

    def __init__(self, weight: float = 1.0, interval: int = 1) -> None:
        super().__init__()
        if type(interval) is not int or interval < 1:
            raise InputError(f"interval must be a whole number from 1, got {interval!r}")
        self.weight = finite(weight, "weight")  # a schedule would keep a whole number whole
        self.interval = interval

    def discriminator(self, step: AdversarialStep) -> Term:
        """Return the term of the discriminator's objective.

        Returns:
            Unreduced, (N, ...), or a scalar; several by name, which are added and logged each by
            itself; or None.
        """
        return None

    def generator(self, step: AdversarialStep) -> Term:
        """Return the term of the generator's objective, as :meth:`discriminator` does."""
        return None

    def after_update(self, player: Player, network: Generator | Discriminator) -> None:
        """Change the network after its optimizer step, without gradient (weight clipping)."""

    def term(self, step: AdversarialStep) -> Term:
        """Return the term of ``step.player``'s objective."""
        if step.player is Player.GENERATOR:
            return self.generator(step)
        return self.discriminator(step)

    def acts_on(self, player: Player) -> bool:
        """Whether this class has a term for a player."""
        if player is Player.GENERATOR:
            return type(self).generator is not Regularizer.generator
        return type(self).discriminator is not Regularizer.discriminator

    def is_due(self, player: Player, updates: int) -> bool:
        """Whether the term is used in a player's update number ``updates`` (from 0)."""
        due = self.weight != 0 and updates % self.interval == 0
        return due and (self.acts_on(player) or self.prepares)

    def uncast(self) -> frozenset[Player]:
        """Return the players whose networks run without autocast where the term is due."""
        if self.full_precision is not None:
            return self.full_precision
        return frozenset({Player.DISCRIMINATOR} if self.differentiates else ())


class ReconstructionRegularizer(Regularizer, ABC):
    """A distance between each fake and its target, in the generator's objective.

    Args:
        weight: Factor of the term, any number.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.
        target: Entry of the batch's ``extra`` that holds the targets; None: the real samples.
    """

    def __init__(self, weight: float = 1.0, interval: int = 1, target: str | None = None) -> None:
        super().__init__(weight, interval)
        self.target = target

    @abstractmethod
    def distance(self, fake: Tensor, target: Tensor, step: AdversarialStep) -> Tensor:
        """Return the distance of each pair, shape (N,).

        Args:
            fake: Generated samples, float32 or wider, shape (N, *sample_shape).
            target: What they should be, the same shape and type, without a graph.
            step: The update.
        """

    def generator(self, step: AdversarialStep) -> Tensor:
        """Return the distance of each fake from its target, shape (N,).

        Raises:
            InputError: There is no such target, or it has another shape.
        """
        name = type(self).__name__
        target = step.real
        if self.target is not None:
            if not isinstance(step.extra.get(self.target), Tensor):
                raise InputError(
                    f"{name} compares fakes with the entry {self.target!r} of the batch's extra, "
                    f"which holds {', '.join(step.extra) or 'nothing'}: name it in "
                    "BatchKeys(extra=[...])"
                )
            target = step.extra[self.target]
        fake, target = widened(step.fake), target.detach()
        if fake.shape != target.shape:
            raise InputError(
                f"{name} compares each fake with its target, got fakes of shape "
                f"{tuple(fake.shape)} and targets of shape {tuple(target.shape)}: generator_batch "
                "must be 1, and targets of the generator's sample_shape"
            )
        return self.distance(fake, target.to(fake.dtype), step)


def bounds_of(part: Regularizer, given: SampleRange, step: AdversarialStep) -> tuple[float, float]:
    """Return the least and the largest value of samples, for a term that needs them.

    Args:
        part: The term.
        given: Its own ``sample_range``, which counts first; then the declared one; else [-1, 1].
        step: The update.

    Raises:
        InputError: The range is declared free.
    """
    declared = step.sample_range if given is None else given
    found = (-1.0, 1.0) if declared is None else range_bounds(declared)
    if found is None:
        raise InputError(
            f"{type(part).__name__} needs to know between which values samples lie, and their "
            "range is declared 'free': give it sample_range=(low, high)"
        )
    return found


def check_images(part: Regularizer, x: Tensor, smallest: int) -> None:
    """Refuse samples that are no images, or too small ones.

    Args:
        part: The term.
        x: Samples.
        smallest: Pixels on a side that it needs.

    Raises:
        InputError: They are so.
    """
    if x.dim() != 4 or min(x.shape[2:]) < smallest:
        raise InputError(
            f"{type(part).__name__} takes images of shape (N, C, H, W) with {smallest} or more "
            f"pixels on a side, got {tuple(x.shape)}"
        )


def labels_of(part: Regularizer, y: Any) -> Tensor:
    """Return a condition that is class labels; -1 is the label of a sample without one.

    Args:
        part: Who asks for them.
        y: The condition.

    Raises:
        InputError: It is no int64 tensor of one dimension.
    """
    if not (isinstance(y, Tensor) and y.dtype == torch.int64 and y.dim() == 1):
        raise InputError(
            f"{type(part).__name__} needs class labels, int64 of shape (N,), got "
            f"{'none' if y is None else describe(y)}: let data and generator have classes"
        )
    return y
