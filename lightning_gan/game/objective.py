"""What a player minimises in one update: the adversarial term and those that are due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from lightning_gan.augments.base import Augment
from lightning_gan.balances.base import ADVERSARIAL, Balance
from lightning_gan.components.part import Part
from lightning_gan.errors import InputError
from lightning_gan.game.preserving import preserved_state
from lightning_gan.game.readings import Reading
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player, describe

Due = Sequence[tuple[str, Regularizer]]


class Objective:
    """The terms of both players and how they are put together.

    Args:
        loss: The adversarial term.
        regularizers: Further terms by name.
        augment: Applied before the discriminator.
        balance: Sets factors of the terms from their gradients; None: all are 1.

    Attributes:
        named: All of these by the names that reports go by.
    """

    def __init__(
        self,
        loss: AdversarialLoss,
        regularizers: Mapping[str, Regularizer],
        augment: Augment,
        balance: Balance | None = None,
    ) -> None:
        self.loss, self.augment, self.balance = loss, augment, balance
        self.regularizers = dict(regularizers)
        named: dict[str, Part] = {"loss": loss, "augment": augment}
        named |= {f"regularizer/{name}": each for name, each in regularizers.items()}
        self.named = named if balance is None else {**named, "balance": balance}
        self._first = [part for part in (("loss", loss), ("augment", augment)) if part[1].prepares]

    def due(self, player: Player, updates: int) -> Due:
        """Return the regularizers that take part in a player's update number ``updates``."""
        return [each for each in self.regularizers.items() if each[1].is_due(player, updates)]

    def observers(self) -> dict[str, Part]:
        """Return the parts that want to be told about each batch, by name."""
        return {name: part for name, part in self.named.items() if part.observes}

    def compute(
        self,
        step: AdversarialStep,
        due: Due,
        weight: float,
        factors: Mapping[str, Tensor] | None = None,
    ) -> tuple[Tensor | None, Reading]:
        """Compute what ``step.player`` minimises in an update.

        Args:
            step: The update.
            due: The regularizers that take part.
            weight: Factor of the adversarial term; at 0 it is not computed.
            factors: Those that the balance chose on an earlier piece of the batch, which are used
                again; None: it is asked.

        Returns:
            The objective, None where nothing is to be minimised; and its terms, detached.

        Raises:
            InputError: A part returned something else than a tensor.
        """
        self.prepare(step, due)
        reading, terms = Reading(), {}
        if weight != 0:
            step.part = "loss"
            loss = _mean(step, self.loss.play(step), self.loss)
            reading.loss = loss.detach()
            terms[ADVERSARIAL] = loss if weight == 1 else loss * weight
        for name, regularizer in due:
            found = self._term(step, name, regularizer)
            if found is None:
                continue
            for key, term in found.items():
                terms[key] = term * regularizer.interval
                reading.terms[key] = term.detach()
        if self.balance is not None and terms:
            terms = self._balanced(step, terms, reading, factors)
        reading.reports = step.reports
        for name in reading.terms:
            if f"regularizer/{name}" in step.reports:
                raise InputError(
                    f"regularizer/{name} is a term and a report of the {step.player.value}'s "
                    "update: report it under another name"
                )
        objective: Tensor | None = None
        for term in terms.values():
            objective = term if objective is None else objective + term
        if objective is not None and torch.is_grad_enabled() and not objective.requires_grad:
            raise InputError(
                f"no term of the {step.player.value}'s objective depends on what it trains: "
                f"{', '.join(terms)}"
            )
        return objective, reading

    def prepare(self, step: AdversarialStep, due: Due) -> None:
        """Let parts change the update before the discriminator sees anything."""
        for step.part, part in self._first:
            part.prepare(step)
        for name, regularizer in due:
            if regularizer.prepares:
                step.part = f"regularizer/{name}"
                regularizer.prepare(step)

    def measure(self, step: AdversarialStep, player: Player) -> Tensor:
        """Return the loss of a player that does not step, on the same samples, changing no state.

        Args:
            step: The opponent's update, its objective computed, or one in which nothing was.
            player: Who does not step.

        Returns:
            The mean of its adversarial loss.
        """
        plays = self.loss.plays  # may replace what was seen, and differentiate
        view = step.seen_by(player, outputs=not plays)
        generator = [step.generator] if plays and step.generator is not None else []
        with (
            torch.set_grad_enabled(plays),
            preserved_state(step.discriminator, self.augment, self.loss, *generator),
        ):
            loss = _mean(view, self.loss.play(view), self.loss)
        step.take_outputs(view)
        return loss.detach()

    def _term(
        self, step: AdversarialStep, name: str, regularizer: Regularizer
    ) -> dict[str, Tensor] | None:
        """Return a regularizer's term of this update by its names in the log, weighted."""
        step.part = f"regularizer/{name}"
        with uncast(step.real.device.type, bool(regularizer.uncast())):
            term = regularizer.term(step)
        if term is None:
            return None
        both = regularizer.acts_on(step.player.opponent)
        key = f"{name}/{step.player.value}" if both else name
        parts = term if isinstance(term, Mapping) else {"": term}
        found = {}
        for part, value in parts.items():
            if not isinstance(value, Tensor):
                raise InputError(
                    f"{type(regularizer).__name__}.{step.player.value} must return a tensor, a "
                    f"mapping of tensors or None, got {describe(value)}"
                )
            found[f"{key}/{part}" if part else key] = value.mean() * regularizer.weight
        return found

    def _balanced(
        self,
        step: AdversarialStep,
        terms: dict[str, Tensor],
        reading: Reading,
        known: Mapping[str, Tensor] | None,
    ) -> dict[str, Tensor]:
        assert self.balance is not None
        step.part = "balance"
        factors = self.balance.weights(step.player, terms, step) if known is None else known
        scalars = isinstance(factors, Mapping) and all(map(_is_scalar, factors.values()))
        if not scalars:
            raise InputError(
                f"{type(self.balance).__name__}.weights must return a mapping of terms and numbers,"
                f" got {factors!r}"
            )
        unknown = factors.keys() - terms.keys()
        if unknown:
            raise InputError(
                f"{type(self.balance).__name__} weighs {sorted(unknown)[0]!r}, which is none of "
                f"the {step.player.value}'s terms: {', '.join(terms)}"
            )
        for name, factor in factors.items():
            terms[name] = terms[name] * factor
            found = factor if isinstance(factor, Tensor) else torch.tensor(float(factor))
            reading.factors[name] = found.detach().to(terms[name].device)
        return terms


def uncast(device: str, suspended: bool = True) -> AbstractContextManager[Any]:
    """Suspend autocast on a type of device, where ``suspended`` says so."""
    if suspended and torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()


def _is_scalar(factor: Any) -> bool:
    return factor.numel() == 1 if isinstance(factor, Tensor) else isinstance(factor, Real)


def _mean(step: AdversarialStep, losses: Any, loss: AdversarialLoss) -> Tensor:
    several = isinstance(losses, (list, tuple)) and losses and all(map(torch.is_tensor, losses))
    if not (several or isinstance(losses, Tensor)):
        raise InputError(
            f"{type(loss).__name__}.{step.player.value} must return a tensor, got {losses!r}"
        )
    return step.mean(losses)
