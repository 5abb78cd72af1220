"""What a batch told: detached scalars on the device, for the log and the observers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor

from lightning_gan.components.part import Part
from lightning_gan.game import ranks
from lightning_gan.step import AdversarialStep
from lightning_gan.types import DiscriminatorOutput, Feedback, Player, Progress


@dataclass
class Reading:
    """One player's update on a batch.

    Attributes:
        loss: The adversarial term without its weight; None where it was not computed.
        terms: Further terms of the objective with their weights, by name: ``r1``, or
            ``name/part`` where a regularizer returns several.
        factors: What a balance multiplied the terms by, by their names.
        real_logits: Mean logit of real samples over all heads, where it was computed.
        fake_logits: The same of fakes.
        real_sign: Mean sign of the logits of real samples, where somebody observes.
        fake_sign: The same of fakes.
        reports: What parts reported, by ``part/name``.
        gradient_norm: Norm of the whole gradient, before clipping, where it was asked for.
    """

    loss: Tensor | None = None
    terms: dict[str, Tensor] = field(default_factory=dict)
    factors: dict[str, Tensor] = field(default_factory=dict)
    real_logits: Tensor | None = None
    fake_logits: Tensor | None = None
    real_sign: Tensor | None = None
    fake_sign: Tensor | None = None
    reports: dict[str, Tensor] = field(default_factory=dict)
    gradient_norm: Tensor | None = None

    def add(self, other: Reading, share: float) -> None:
        """Add the reading of a piece of the batch that is this share of it."""
        for each in fields(self):
            ours, theirs = getattr(self, each.name), getattr(other, each.name)
            if isinstance(theirs, dict):
                for key, value in theirs.items():
                    ours[key] = ours[key] + value * share if key in ours else value * share
            elif theirs is not None:
                setattr(self, each.name, theirs * share if ours is None else ours + theirs * share)


@dataclass
class Readings:
    """What one batch told.

    Attributes:
        phases: The players that stepped, in order.
        generator: The generator's first update on the batch, or its loss where it was measured.
        discriminator: The same of the discriminator.
    """

    phases: tuple[Player, ...]
    generator: Reading | None = None
    discriminator: Reading | None = None

    def of(self, player: Player) -> Reading | None:
        """Return the reading of one player."""
        return self.generator if player is Player.GENERATOR else self.discriminator

    def keep(self, player: Player, reading: Reading) -> None:
        """Keep a player's reading, unless there is one: the first update of a batch is told."""
        if player is Player.GENERATOR:
            self.generator = self.generator or reading
        else:
            self.discriminator = self.discriminator or reading

    @property
    def reports(self) -> dict[str, Tensor]:
        """What parts reported; of two updates that report one name, the first one's."""
        generator, discriminator = self.generator, self.discriminator
        ours = {} if generator is None else generator.reports
        theirs = {} if discriminator is None else discriminator.reports
        if not (ours and theirs):
            return ours or theirs
        first_is_ours = self.phases[:1] == (Player.GENERATOR,)
        return {**theirs, **ours} if first_is_ours else {**ours, **theirs}

    @property
    def judged(self) -> Reading:
        """The reading whose logits count: the discriminator's, else the generator's."""
        first = self.discriminator if Player.DISCRIMINATOR in self.phases else None
        return first or self.generator or self.discriminator or Reading()


def read_outputs(step: AdversarialStep, reading: Reading, signs: bool) -> None:
    """Note the mean logits of an update's outputs as far as they were computed.

    Args:
        step: The update, its objective computed.
        reading: Where to note them.
        signs: Whether to note the mean signs as well.
    """
    real, fake = step.computed
    if real is not None:
        reading.real_logits, reading.real_sign = _means(real, signs)
    if fake is not None:
        reading.fake_logits, reading.fake_sign = _means(fake, signs)


def _means(output: DiscriminatorOutput, signs: bool) -> tuple[Tensor, Tensor | None]:
    if isinstance(output.logits, Tensor):
        logits = output.logits.detach()
        return logits.mean(), logits.sign().mean() if signs else None
    heads = [logits.detach() for logits in output.heads]
    mean = _over_heads([logits.mean() for logits in heads])
    return mean, _over_heads([logits.sign().mean() for logits in heads]) if signs else None


def _over_heads(means: list[Tensor]) -> Tensor:
    return torch.stack(means).mean()


def feedback(readings: Readings, progress: Progress) -> Feedback | None:
    """Average a batch's scalars over all ranks, in one all-reduce, for the observers.

    Returns:
        What observers see; None where something is not finite, which no state of theirs shall take.
    """
    generator, discriminator = readings.generator or Reading(), readings.discriminator or Reading()
    judged, other = readings.judged, generator
    if judged is generator:
        other = discriminator  # measured
    found: dict[str, Tensor | None] = {
        "discriminator_loss": discriminator.loss,
        "generator_loss": generator.loss,
        "real_logits": _first(judged.real_logits, other.real_logits),
        "fake_logits": _first(judged.fake_logits, other.fake_logits),
        "real_sign": _first(judged.real_sign, other.real_sign),
        "fake_sign": _first(judged.fake_sign, other.fake_sign),
    }
    reports = readings.reports
    values = [value for value in (*found.values(), *reports.values()) if value is not None]
    if not values:
        return Feedback(progress, readings.phases)
    double = any(value.dtype is torch.float64 for value in values)
    stacked = torch.stack([v.to(torch.float64 if double else torch.float32) for v in values])
    ranks.average([stacked])
    if not stacked.isfinite().all():
        return None
    averaged = iter(stacked.unbind())
    scalars = {key: None if v is None else next(averaged) for key, v in found.items()}
    said = {key: next(averaged) for key in reports}
    return Feedback(progress, readings.phases, reports=said, **scalars)  # type: ignore[arg-type]


def tell(observers: Mapping[str, Part], readings: Readings, progress: Progress) -> None:
    """Tell the observers of a batch, by name, what it told, each its own reports by itself.

    They are not told of a batch in which something is not finite.
    """
    seen = feedback(readings, progress)
    if seen is None:
        return
    for name, observer in observers.items():
        start = f"{name}/"
        own = {key[len(start) :]: v for key, v in seen.reports.items() if key.startswith(start)}
        observer.observe(replace(seen, own=own) if own else seen)


def _first(value: Tensor | None, otherwise: Tensor | None) -> Tensor | None:
    return otherwise if value is None else value
