"""Several augmentations, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from torch import Tensor, nn

from lightning_gan.augments.base import Augment
from lightning_gan.errors import InputError
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Feedback, Player


class SequenceAugment(Augment):
    """Applies several augmentations, in the order in which they are given.

    Each keeps its own state. Schedules reach their numbers by place, ``augment.augments.0.p``; what
    they report is in the log as ``augment/0/p``.

    Args:
        augments: The augmentations, one or more.

    Example:
        lightning-gan fit augment=sequence model.augment.augments=[diffaugment,instance_noise]

    Raises:
        InputError: There is none, or something else among them.
    """

    def __init__(self, augments: list[Augment]) -> None:
        super().__init__()
        if not isinstance(augments, (list, tuple)) or not augments:
            raise InputError(f"augments must be a list of one augmentation or more, got {augments}")
        for each in augments:
            if not isinstance(each, Augment):
                raise InputError(f"augments must hold augmentations, got {each!r}")
        self.augments = nn.ModuleList(augments)
        self.observes = any(each.observes for each in augments)
        self.measures = frozenset[Player]().union(*(each.measures for each in augments))

    @property
    def prepares(self) -> bool:
        """Whether one of them changes updates before the discriminator sees them."""
        return any(each.prepares for each in self._each())

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Let each get to know the networks."""
        for each in self._each():
            each.bind(generator, discriminator)

    def prepare(self, step: AdversarialStep) -> None:
        """Let each change the update."""
        for index, each in enumerate(self._each()):
            if each.prepares:
                with _named(step, f"{step.part}/{index}" if step.part else str(index)):
                    each.prepare(step)

    def observe(self, feedback: Feedback) -> None:
        """Tell each that observes, its own reports by themselves."""
        for index, each in enumerate(self._each()):
            if each.observes:
                start = f"{index}/"
                own = {k[len(start) :]: v for k, v in feedback.own.items() if k.startswith(start)}
                each.observe(replace(feedback, own=own))

    def forward(self, x: Tensor) -> Tensor:
        """Augment samples by one after the other, shape (N, *sample_shape)."""
        for each in self.augments:
            x = each(x)
        return x

    def _each(self) -> Iterator[Augment]:
        return iter(cast(Any, self.augments))


@contextmanager
def _named(step: AdversarialStep, part: str) -> Iterator[None]:
    """Let reports go by the name of a part within this one."""
    outer, step.part = step.part, part
    try:
        yield
    finally:
        step.part = outer
