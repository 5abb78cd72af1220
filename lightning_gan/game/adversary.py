"""The adversarial half of somebody else's training: a discriminator, and the generator's terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_gan.augments.base import Augment
from lightning_gan.balances.base import Balance
from lightning_gan.components.part import Part
from lightning_gan.errors import InputError, NotFiniteError
from lightning_gan.game import ranks
from lightning_gan.game.assembly import Fakes, assemble
from lightning_gan.game.checks import head_factors
from lightning_gan.game.engine import Engine
from lightning_gan.game.fitting import check_apart
from lightning_gan.game.game import LOST_EVERY
from lightning_gan.game.guard import Guard, any_not_finite
from lightning_gan.game.loop_checks import (
    bind,
    check_choices,
    check_first,
    check_members,
    check_pair,
)
from lightning_gan.game.objective import Due, Objective
from lightning_gan.game.optimization import LRSchedulerCallable, OptimizerCallable
from lightning_gan.game.preserving import preserved_state
from lightning_gan.game.readings import Reading, Readings, tell
from lightning_gan.game.references import Referenced, Referencing
from lightning_gan.game.scheduling import Scheduled
from lightning_gan.game.side import Side, SideSettings
from lightning_gan.game.straight import add_gradients, advance
from lightning_gan.game.update import Update
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.schedules.base import Schedule
from lightning_gan.step import AdversarialStep, Join
from lightning_gan.types import (
    Batch,
    GeneratorOutput,
    Player,
    Progress,
    SampleRange,
    as_generator_output,
    map_tensors,
)

Self = TypeVar("Self", bound="Adversary")


class Adversary(Referencing):
    """Everything adversarial for people who own their generator, its optimizer and the loop.

    Each batch: :meth:`step` trains the discriminator, and :meth:`generator_loss` is one more term
    of the generator's objective::

        adversary = Adversary(discriminator, create_loss("hinge"), {"r1": R1Regularizer(1.0)})
        for x, target in loader:
            fake = generator(x)
            adversary.step(target, fake)
            loss = l1_loss(fake, target) + adversary.generator_loss(fake, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        torch.save(adversary.state_dict(), "adversary.pt")

    The state holds networks, parts, optimizer and counts; the random states of torch, which some
    terms draw from, are the loop's own. With ``torch.distributed`` initialized, all ranks begin
    with the weights of rank 0, and gradients and statistics of the discriminator are averaged over
    all of them: leave it unwrapped.

    Args:
        discriminator: The discriminator: any network that takes samples, and a condition where
            there is one. It may move (``adversary.to(device)``) at any time.
        loss: Both halves of the adversarial objective.
        regularizers: Further terms of either player, by name.
        augment: Applied to real samples and fakes before the discriminator. None: nothing.
        balance: Sets factors of the terms that are known here, from their gradients. None: all
            are 1.
        discriminator_optimizer: Makes the discriminator's optimizer from its parameters. None:
            Adam, learning rate 2e-4, betas 0.5 and 0.999.
        discriminator_lr_scheduler: Makes a scheduler, stepped after every step of the optimizer.
        discriminator_clip_norm: Largest norm of the discriminator's gradient; None = do not clip.
        discriminator_clip_value: Largest absolute value of its entries; None = do not clip.
        generator_weight: Factor of the adversarial term in :meth:`generator_loss`. At 0 it is not
            computed.
        discriminator_weight: Factor of it in the discriminator's objective; at 0 the discriminator
            rests where it has no other term.
        heads: "mean" or "sum": how the losses of several heads are joined.
        head_weights: A factor for each head; None: all are 1.
        schedules: Numbers that change with the images seen, by path, such as
            ``{"generator_weight": BurnIn(0.0, 1.0, kimg=50)}``.
        generator: The generator, unwrapped, for parts that run it or look at its weights.
        max_skipped: This many updates left out in a row, because they were not finite, end training
            with NotFiniteError, at the next of the looks every 50 batches; None: nothing ends it.
        engine: Computes gradients and steps; None: plain torch, gradients averaged over ranks.

    Attributes:
        progress: Counts; ``images`` are the real samples of all updates of the discriminator so
            far, and what schedules follow.

    Raises:
        InputError: A number is out of range, or a part does not fit.
    """

    def __init__(
        self,
        discriminator: nn.Module,
        loss: AdversarialLoss,
        regularizers: Mapping[str, Regularizer] | None = None,
        *,
        augment: Augment | None = None,
        balance: Balance | None = None,
        discriminator_optimizer: OptimizerCallable | None = None,
        discriminator_lr_scheduler: LRSchedulerCallable | None = None,
        discriminator_clip_norm: float | None = None,
        discriminator_clip_value: float | None = None,
        generator_weight: float = 1.0,
        discriminator_weight: float = 1.0,
        heads: Join = "mean",
        head_weights: Sequence[float] | None = None,
        schedules: Mapping[str, Schedule] | None = None,
        generator: nn.Module | None = None,
        max_skipped: int | None = 10,
        engine: Engine | None = None,
    ) -> None:
        super().__init__()
        terms, schedules = regularizers or {}, schedules or {}
        augment = Augment() if augment is None else augment
        balances = {} if balance is None else {"balance": balance}
        check_members(
            discriminator,
            generator,
            {"loss": loss, "augment": augment, **balances},
            terms,
            schedules,
        )
        check_choices(heads, max_skipped)
        self.discriminator, self.loss = discriminator, loss
        self.regularizers = nn.ModuleDict(dict(terms))
        self.augment, self.balance = augment, balance
        self.progress = Progress()
        self.max_skipped = max_skipped
        self.heads, self.head_weights = heads, head_factors(head_weights)
        self.__dict__["_generator"] = generator  # somebody else's
        parts: list[Part] = [loss, augment, *terms.values(), *balances.values()]
        for part in parts:
            bind(part, generator, discriminator)
        ours = SideSettings(
            Player.DISCRIMINATOR,
            discriminator_optimizer,
            discriminator_lr_scheduler,
            discriminator_clip_norm,
            discriminator_clip_value,
            discriminator_weight,
        )
        theirs = SideSettings(Player.GENERATOR, weight=generator_weight)
        objective = Objective(loss, terms, augment, balance)

        def first(settings: SideSettings, network: nn.Module) -> Update:
            settings.check()
            owned = [part for part in parts if part.trained_by == settings.player]
            side, guard = Side(settings, network, owned), Guard()
            side.take_stock()
            guard.watch(discriminator, *parts)
            return Update(side, objective, guard)

        self._ours, self._theirs = first(ours, discriminator), first(theirs, nn.Module())
        self._ours.side.configure()
        if self._ours.side.optimizer is None:
            raise InputError("the discriminator has no parameter that requires a gradient")
        self._objective, self._parts = objective, parts
        others = [] if generator is None else [generator]
        check_apart([*others, *self._theirs.side.parts], [discriminator, *self._ours.side.parts])
        named = {f"regularizer/{name}": term for name, term in terms.items()}
        self._referenced = Referenced({"loss": loss, "augment": augment, **named, **balances})
        self._scheduled = Scheduled(self, schedules, (self._ours.side, self._theirs.side))
        self._scheduled.apply(images=0)
        self._engine = Engine() if engine is None else engine
        self._latest: Reading | None = None  # of the generator
        self._begun = False

    @property
    def generator(self) -> nn.Module | None:
        """The generator, where it was given; no part of this module."""
        found: nn.Module | None = self.__dict__["_generator"]
        return found

    @property
    def sample_range(self) -> SampleRange:
        """Where samples lie, as the generator declares; None where it is unknown."""
        return getattr(self.generator, "sample_range", None)

    @property
    def optimizer(self) -> Optimizer:
        """The discriminator's optimizer."""
        assert self._ours.side.optimizer is not None
        return self._ours.side.optimizer

    @property
    def skipped(self) -> int:
        """How many updates of the discriminator were left out; the host waits for the device."""
        return self._ours.side.skipped.count() or 0

    def generator_parameters(self) -> list[nn.Parameter]:
        """Return parameters of parts that the generator's optimizer has to train (projections)."""
        return self._theirs.side.trainable

    # One batch ----------------------------------------------------------------------------------

    def step(
        self,
        real: Tensor,
        fake: Tensor | GeneratorOutput,
        y: Any = None,
        *,
        fake_y: Any = None,
        z: Tensor | None = None,
        extra: Mapping[str, Any] | None = None,
        accumulate: bool = False,
    ) -> Readings:
        """Train the discriminator on real samples and fakes.

        Its gradients are gone afterwards: ``Engine.before_step`` sees them.

        Args:
            real: Real samples, shape (N, *sample_shape).
            fake: As many fakes. The graph behind them, and behind everything else, is left alone.
            y: Condition of the real samples, or None.
            fake_y: Condition of the fakes; None: that of the real samples.
            z: Latents of the fakes, shape (N, Z), for terms that ask for them.
            extra: What terms ask for besides, by name.
            accumulate: Add to the gradients alone, and let the next call go on with this update.

        Returns:
            Detached scalars on the device: of this batch or, where an update ends, of all its
            batches and of the generator's last update.

        Raises:
            InputError: The batch does not fit, or gradients are off.
            NotFiniteError: ``max_skipped`` updates in a row were left out.
        """
        if not torch.is_grad_enabled():
            raise InputError("step trains the discriminator: call it outside of torch.no_grad()")
        self._look_at(real, fake, y, fake_y, equal=True, trains=True)
        update, readings, objective = self._ours, Readings(()), None
        due = self._objective.due(Player.DISCRIMINATOR, self.progress.discriminator_steps)
        if not update.sizes:
            update.guard.begin()
            self.optimizer.zero_grad()
        if due or update.side.settings.weight != 0:
            batch, fakes = map_tensors(Tensor.detach, _read(real, fake, y, fake_y, z, extra))
            step = self._assemble(Player.DISCRIMINATOR, due, batch, fakes)
            with self._theirs.side.frozen(parts_alone=True):
                objective, readings.discriminator = update.compute(step, due)
            if objective is not None:
                add_gradients(self._engine, objective, update.share(len(real)))
        update.note(len(real), readings.discriminator, acts=objective is not None)
        if not accumulate:
            self._finish(update, readings)
        return readings

    def generator_loss(
        self,
        fake: Tensor | GeneratorOutput,
        real: Tensor,
        y: Any = None,
        *,
        fake_y: Any = None,
        z: Tensor | None = None,
        extra: Mapping[str, Any] | None = None,
        accumulate: bool = False,
    ) -> Tensor:
        """Return the weighted adversarial objective of the generator: one term of its loss.

        Its backward pass gives the discriminator no gradients; let it run before the next
        :meth:`step`. Under ``torch.no_grad()`` nothing is counted and no statistics change.

        Args:
            fake: Fakes with their graph, shape (M, *sample_shape).
            real: Real samples, shape (N, *sample_shape).
            y: Condition of the real samples, or None.
            fake_y: Condition of the fakes; None: that of the real samples.
            z: Latents of the fakes, shape (N, Z), for terms that ask for them.
            extra: What terms ask for besides, by name.
            accumulate: Whether the next call belongs to the same update of the generator.

        Returns:
            A scalar; 0 where nothing is to be minimised. Where it is NaN or infinite, leave the
            generator's update out.

        Raises:
            InputError: The batch does not fit, or the fakes come without their graph.
        """
        trains, equal = torch.is_grad_enabled(), self.loss.needs_real_logits_for_generator
        self._look_at(real, fake, y, fake_y, equal=equal, trains=trains)
        update = self._theirs
        due = self._objective.due(Player.GENERATOR, self.progress.generator_steps)
        step = self._assemble(Player.GENERATOR, due, *_read(real, fake, y, fake_y, z, extra))
        if not trains:
            with preserved_state(self.discriminator, *self._parts):
                objective, _ = update.next().compute(step, due)
            return _or_zero(objective, step)
        if not (step.fake.requires_grad or update.side.trainable):
            raise InputError(
                "generator_loss(fake, real) takes first the fakes, with their graph, as the "
                "generator returned them, and these have none"
            )
        update.guard.begin()
        with self._ours.side.frozen():
            objective, reading = update.compute(step, due)
        update.note(len(step.fake), reading, acts=objective is not None)
        loss = _or_zero(objective, step)
        update.guard.verdicts = [(update.side, any_not_finite([loss.detach()]))]
        update.guard.settle()
        self._share_statistics()
        if not accumulate:
            self._latest, self._theirs = update.reading(), update.next()
            self.progress = self.progress.after_step(Player.GENERATOR)
        return loss

    def _look_at(
        self, real: Any, fake: Any, y: Any, fake_y: Any, *, equal: bool, trains: bool
    ) -> None:
        """Check a batch, begin with the first, and let the numbers follow their schedules."""
        check_pair(real, fake, y, fake_y, equal=equal)
        if not self._begun:
            check_first(self.discriminator, real, fake, y, fake_y)
            if trains:
                # States of parts go on as each rank's own.
                shares = self if self.progress.batches == 0 else self.discriminator
                ranks.broadcast([*self.parameters(), *shares.buffers()])
                self._begun = True
        self._scheduled.apply(self.progress.images, [self._ours.side])

    def _assemble(self, player: Player, due: Due, batch: Batch, fakes: Fakes) -> AdversarialStep:
        torch.clear_autocast_cache()  # weights have changed
        return assemble(self, player, batch, fakes, due, None, self.progress.images)

    def _finish(self, update: Update, readings: Readings) -> None:
        """Let the discriminator step, and bring everything up to date after its update."""
        self._ours = update.next()
        readings.generator, readings.discriminator = self._latest, update.reading()
        self._latest = None
        if update.acts:
            update.divide()
            terms = self._objective.regularizers.values()
            norm = advance(update.side, self, engine=self._engine, guard=update.guard, terms=terms)
            readings.phases = (Player.DISCRIMINATOR,)
            if readings.discriminator is not None:
                readings.discriminator.gradient_norm = norm
            self.optimizer.zero_grad()  # out of the way of the loop's own clipping and optimizers
        update.guard.settle()
        update.guard.note()
        self._share_statistics()
        self.progress = self.progress.after_batch(sum(update.sizes) * ranks.world_size())
        observers = self._objective.observers()
        if observers:
            tell(observers, readings, self.progress)
        self._end_if_lost()

    def _share_statistics(self) -> None:
        """Average the discriminator's float buffers over ranks, so that rank 0's are all there is.

        The generator's graph may wait for its backward pass with them, hence ``.data``.
        """
        if ranks.world_size() > 1:
            buffers = [b.data for b in self.discriminator.buffers() if b.is_floating_point()]
            ranks.average(buffers)

    def _end_if_lost(self) -> None:
        if self.max_skipped is None or self.progress.batches % LOST_EVERY:
            return
        most = self._ours.side.skipped.most_in_a_row()
        if most is not None and most >= self.max_skipped:
            raise NotFiniteError(
                f"NaN or infinite losses or gradients: {most} updates of the discriminator in a "
                "row were left out, and its weights are as before them; lower its learning rate, "
                "or set discriminator_clip_norm"
            )

    # State --------------------------------------------------------------------------------------

    def get_extra_state(self) -> dict[str, Any]:
        """Return the counts, the state of the discriminator's optimizer, the latest reading."""
        return {
            "progress": self.progress.state_dict(),
            "side": self._ours.side.state_dict(),
            "references": self._referenced.describe(),
            "latest": None if self._latest is None else dict(vars(self._latest)),
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`get_extra_state` returned; an update begun before is forgotten."""
        self._referenced.check(state["references"])
        self.progress = Progress.from_state_dict(state["progress"])
        self._ours.side.load_state_dict(state["side"])
        self._latest = None if state["latest"] is None else Reading(**state["latest"])
        self._ours, self._theirs = self._ours.next(), self._theirs.next()
        self._scheduled.apply(self.progress.images, [self._ours.side])
        self._follow()

    def _apply(self: Self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # to, double, cuda and so on
        self._follow()
        return self

    def _follow(self) -> None:
        """Bring what lies beside the networks to where they are."""
        self._ours.side.skipped.count()
        self.optimizer.load_state_dict(self.optimizer.state_dict())
        home = next(self.discriminator.parameters()).device
        self._latest = map_tensors(lambda x: x.to(home), self._latest)


def _read(
    real: Tensor, fake: Tensor | GeneratorOutput, y: Any, fake_y: Any, z: Any, extra: Any
) -> tuple[Batch, Fakes]:
    output = as_generator_output(fake)
    return Batch(real, y, extra or {}), Fakes(output, y if fake_y is None else fake_y, z)


def _or_zero(objective: Tensor | None, step: AdversarialStep) -> Tensor:
    return step.fake.new_zeros(()) if objective is None else objective
