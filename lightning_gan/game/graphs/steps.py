"""Training steps as CUDA graphs: captured once for each kind of batch, then replayed.

A step of small networks is some hundreds of kernels, each over before Python has launched the next.
A graph launches them all at once. It is the same work on the same memory: what the batch brings is
copied into the tensors that the graph reads, and what Python does at a step beside its kernels
(counts, learning-rate schedules) is done at every replay.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from lightning_gan.errors import InputError
from lightning_gan.game.gan import GAN
from lightning_gan.game.graphs.recorder import RECORDERS
from lightning_gan.game.guard import Guard
from lightning_gan.game.objective import Objective
from lightning_gan.game.readings import Readings
from lightning_gan.game.side import Side
from lightning_gan.types import Batch, Player, Progress, map_tensors, tensors_in

WARMUP = 3  # batches of a kind before it is captured, in which libraries choose their kernels
MOST = 16  # kinds that are captured; others are computed step by step
TOLD_AFTER = 200  # batches without a replay
PLAIN = {int, float, bool, str, type(None)}


class Played(Protocol):
    """What graphs need of a game."""

    gan: GAN
    generator: Side
    discriminator: Side
    guard: Guard
    objective: Objective
    noise: torch.Generator | None
    notes_norms: bool
    capturing: bool

    @property
    def progress(self) -> Progress:
        """The counts."""

    def side(self, player: Player) -> Side:
        """Return one of the sides."""

    def train(self, batch: Batch, phases: tuple[Player, ...]) -> Readings:
        """Let players step on one batch."""


class Captured(NamedTuple):
    """One kind of batch.

    Attributes:
        replay: Trains on what ``inputs`` hold.
        inputs: The tensors of a batch that the graph reads.
        rates: The learning rates that it reads, for every step in turn, by parameter group.
        readings: What it tells, in form.
        sides: Whose step each verdict is about.
        values: What it leaves, as one tensor: the scalars of the readings, then the verdicts.
    """

    replay: Callable[[], None]
    inputs: list[Tensor]
    rates: list[Rates]
    readings: Readings
    sides: list[Side]
    values: Tensor


class Rates:
    """The learning rates of one optimizer step, in memory that a graph reads."""

    def __init__(self, optimizer: Optimizer, device: torch.device) -> None:
        self._groups = optimizer.param_groups
        new = partial(torch.zeros, (), dtype=torch.float32, device=device)  # as fused Adam reads
        self.tensors = [new() for _ in self._groups]
        self._filled: list[float | None] = [None] * len(self._groups)

    def fill(self) -> None:
        """Take over the present rates."""
        for index, (group, tensor) in enumerate(zip(self._groups, self.tensors, strict=True)):
            rate = group["lr"]
            if isinstance(rate, Tensor):
                tensor.copy_(rate)
            elif rate != self._filled[index]:
                tensor.fill_(rate)
                self._filled[index] = rate


class GraphedSteps:
    """Replays a game's steps on a batch; what has no graph yet is computed step by step.

    Batches of which gradient norms are noted, and those computed under autograd's anomaly mode,
    always are. Outside of a step gradients are None, since replays leave none.

    Args:
        game: The game, about to begin.
        recorder: Records the steps.
    """

    def __init__(self, game: Played, recorder: Any) -> None:
        self._game = game
        self._recorder = recorder
        self._times: dict[Any, int] = {}
        self._captured: dict[Any, Captured | None] = {}  # None: it cannot be
        self._eager = 0  # batches before the first replay
        gan = game.gan
        parts = (gan.generator, gan.discriminator, *gan.parts().values())
        modules = [module for part in parts for module in part.modules()]
        sides = (game.generator, game.discriminator)
        self._settings = [*map(vars, modules), *(vars(side.settings) for side in sides)]
        self._parameters = [p for side in sides for p in side.trainable]

    def train(self, batch: Batch, phases: tuple[Player, ...]) -> Readings:
        """Let players step on one batch; return what ``Game.train`` does.

        Raises:
            InputError: The steps cannot be captured. From torch 2.14 on, that holds for the first
                kind of batch; a later one costs a warning, and is computed step by step.
        """
        captured = None
        if phases and not self._game.notes_norms and not torch.is_anomaly_enabled():
            kind = self._kind(batch, phases)
            if self._is_time(kind):
                self._captured[kind] = self._try_capture(batch, phases)
            captured = self._captured.get(kind)
        if captured is not None:
            return self._replay(captured, tensors_in(batch))
        self._tell()
        with self._recorder.aside():
            found = self._game.train(batch, phases)
        self._drop_gradients()
        return found

    def _sides(self) -> list[Side]:
        sides = (self._game.generator, self._game.discriminator)
        return [side for side in sides if side.optimizer is not None]

    def _kind(self, batch: Batch, phases: tuple[Player, ...]) -> Any:
        """Return all that a graph repeats and that is known to change between batches.

        Besides the batch's form, what the players do, and the settings of their optimizers, these
        are the plain numbers and modes of all parts, which schedules, callbacks and the parts
        themselves may change.
        """
        game, gan, due = self._game, self._game.gan, []
        progress = game.progress
        for player in phases:
            terms = game.objective.due(player, progress.steps(player))
            due.append(tuple([name for name, _ in terms]))
            progress = progress.after_step(player)
        groups = [group for side in self._sides() for group in _groups(side)]
        return (
            phases,
            tuple(due),
            repr(map_tensors(_form, batch)),
            repr([group[k] for group in groups for k in group if k not in ("params", "lr")]),
            (gan.micro_batches, gan.generator_batch, gan.share_fakes, gan.fake_labels, gan.heads),
            tuple(gan.head_weights or ()),
            tuple([v for each in self._settings for v in each.values() if type(v) in PLAIN]),
            tuple([parameter.requires_grad for parameter in self._parameters]),
        )

    def _is_time(self, kind: Any) -> bool:
        if kind in self._captured or len(self._captured) == MOST:
            return False
        if len(self._times) > 100 * MOST:  # numbers that never come again
            self._times = {}
        self._times[kind] = self._times.get(kind, 0) + 1
        return self._times[kind] > WARMUP

    def _tell(self) -> None:
        if not self._captured:
            self._eager += 1
            if self._eager == TOLD_AFTER:
                warnings.warn(
                    f"graph: the first {TOLD_AFTER} batches were computed step by step, because "
                    "they were all logged or a number changes with each: a scheduled one, one that "
                    "a part counts, the momentum of a cyclic learning rate, or the batch size",
                    stacklevel=2,
                )

    def _drop_gradients(self) -> None:
        for side in self._sides():
            assert side.optimizer is not None
            side.optimizer.zero_grad()

    def _try_capture(self, batch: Batch, phases: tuple[Player, ...]) -> Captured | None:
        try:
            return self._capture(batch, phases)
        except InputError as error:
            if not (self._captured and self._recorder.forgives):
                raise
            warnings.warn(f"{error}. Batches of this kind are computed step by step.", stacklevel=2)
            return None
        finally:
            self._drop_gradients()

    def _capture(self, batch: Batch, phases: tuple[Player, ...]) -> Captured:
        game, inputs = self._game, [tensor.clone() for tensor in tensors_in(batch)]
        waiting = iter(inputs)
        batch = map_tensors(lambda _: next(waiting), batch)
        rates = [Rates(_optimizer(game.side(player)), inputs[0].device) for player in phases]

        def work() -> tuple[Readings, list[Side], Tensor]:
            readings = game.train(batch, phases)
            verdicts = game.guard.verdicts
            values = [*tensors_in(readings), *(verdict for _, verdict in verdicts)]
            wide = torch.float64 if any(v.dtype == torch.float64 for v in values) else torch.float32
            stacked = torch.stack([value.detach().to(wide) for value in values])
            return readings, [side for side, _ in verdicts], stacked

        try:
            with _capturing(game, phases, rates), _buffers_in_place(game):
                replay, (readings, sides, values) = self._recorder.record(work)
        except RuntimeError as error:
            raise InputError(_why(error)) from error
        return Captured(replay, inputs, rates, readings, sides, values)

    def _replay(self, captured: Captured, tensors: list[Tensor]) -> Readings:
        game = self._game
        for ours, theirs in zip(captured.inputs, tensors, strict=True):
            ours.copy_(theirs, non_blocking=True)
        for player, rates in zip(captured.readings.phases, captured.rates, strict=True):
            rates.fill()
            side = game.side(player)
            if side.scheduler is not None:
                side.scheduler.step()
            game.gan.progress = game.gan.progress.after_step(player)
        captured.replay()
        values = captured.values.clone().unbind()  # the next replay writes there again
        waiting = iter(values)
        readings: Readings = map_tensors(lambda _: next(waiting), captured.readings)
        game.guard.verdicts = list(zip(captured.sides, waiting, strict=True))
        return readings


def _optimizer(side: Side) -> Optimizer:
    assert side.optimizer is not None
    return side.optimizer


def _groups(side: Side) -> list[dict[str, Any]]:
    return _optimizer(side).param_groups


def _why(error: BaseException) -> str:
    """Return a sentence about a capture that failed."""
    while error.__context__ is not None:  # the end of a capture that has failed fails, too
        error = error.__context__
    if isinstance(error, torch.OutOfMemoryError):
        return (
            "graph keeps memory of its own for activations and gradients, and the GPU has not "
            "enough: lower the batch size, or set graph to false"
        )
    return (
        "graph: the steps of this GAN cannot be captured as a CUDA graph, because a part of it "
        "reads a tensor's value on the host or does something else that a graph cannot; set graph "
        f"to false ({type(error).__name__}: {' '.join(str(error).split())[:300]})"
    )


def _form(tensor: Tensor) -> Any:
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device


@contextmanager
def _capturing(game: Played, phases: tuple[Player, ...], rates: list[Rates]) -> Iterator[None]:
    """Let steps be recorded that read their learning rates from memory, and count none of them."""
    sides = [s for s in (game.generator, game.discriminator) if s.optimizer is not None]
    schedulers, progress, verdicts = (
        [s.scheduler for s in sides],
        game.progress,
        game.guard.verdicts,
    )
    groups = [group for side in sides for group in _groups(side)]
    own = [(group["lr"], group["capturable"]) for group in groups]
    game.capturing = True
    for side in sides:
        turns = [each for whose, each in zip(phases, rates, strict=True) if whose is side.player]
        side.scheduler = _NextRates(_optimizer(side), turns)  # type: ignore[assignment]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        game.capturing = False
        game.gan.progress, game.guard.verdicts = progress, verdicts
        for side, scheduler in zip(sides, schedulers, strict=True):
            side.scheduler = scheduler
        for group, (rate, capturable) in zip(groups, own, strict=True):
            group["lr"], group["capturable"] = rate, capturable


@contextmanager
def _buffers_in_place(game: Played) -> Iterator[None]:
    """Refuse layers that replace a buffer; a graph would go on reading the one of before."""
    places = [
        (layer, name, buffer)
        for layer in game.gan.modules()
        for name, buffer in layer.named_buffers(recurse=False)
    ]
    try:
        yield
    finally:
        replaced = [place for place in places if getattr(place[0], place[1]) is not place[2]]
        for layer, name, buffer in replaced:
            setattr(layer, name, buffer)
    for layer, name, _ in replaced:
        raise InputError(
            f"graph repeats what was captured, and {type(layer).__name__} replaces its buffer "
            f"{name} at every step: change it in place, with {name}.copy_(), or set graph to false"
        )


class _NextRates:
    """In place of a scheduler: after each step, the optimizer reads the rates of the next."""

    def __init__(self, optimizer: Any, turns: list[Rates]) -> None:
        self._groups, self._turns = optimizer.param_groups, turns
        self.step()

    def step(self) -> None:
        if self._turns:
            now, *self._turns = self._turns
            for group, tensor in zip(self._groups, now.tensors, strict=True):
                group["lr"] = tensor


def graphed_steps(game: Played, device: torch.device) -> GraphedSteps:
    """Return what plays the steps of a game that begins on a device."""
    return GraphedSteps(game, RECORDERS[device.type](device, game.noise))
