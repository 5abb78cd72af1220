"""Training steps as CUDA graphs: captured once for each kind of batch, then replayed.

A step of small networks is some hundreds of kernels, each over before Python has launched the next.
A graph launches them all at once. It is the same work on the same memory: what the batch brings is
copied into the tensors that the graph reads, and what Python does at a step beside its kernels
(counts, learning-rate schedules) is done at every replay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor
from torch.optim import Optimizer

from lightning_gan.errors import InputError
from lightning_gan.training.graphs.checks import check_optimizers
from lightning_gan.training.graphs.recorder import RECORDERS
from lightning_gan.types import Player, map_labels

WARMUP = 3  # batches of a kind before it is captured, in which libraries choose their kernels
MOST = 16  # kinds that are captured; others are computed step by step
TOLD_AFTER = 200  # batches without a replay
OPTIONS = (
    *("micro_batches", "generator_batch", "share_fakes", "fake_labels"),
    *(f"{player.value}_clip_{kind}" for player in Player for kind in ("norm", "value")),
)
PLAIN = {int, float, bool, str, type(None)}


class Captured(NamedTuple):
    """One kind of batch.

    Attributes:
        replay: Trains on what ``inputs`` hold.
        inputs: The tensors of a batch that the graph reads.
        rates: The learning rates that it reads, for every step in turn, by parameter group.
        keys: Names of the first values it leaves; after them come the verdicts.
        players: Whose step each verdict is about.
        values: What it leaves, as one tensor.
    """

    replay: Callable[[], None]
    inputs: list[Tensor]
    rates: list[Rates]
    keys: list[str]
    players: list[Player]
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
    """Replays a module's steps on a batch; what has no graph yet is computed step by step.

    Batches that are logged, and those computed under autograd's anomaly mode, always are. Outside
    of a step gradients are None, since replays leave none.

    Args:
        gan: The module, with its random generator, about to be trained.
        recorder: Records the steps.
    """

    def __init__(self, gan: Any, recorder: Any) -> None:
        self._gan = gan
        self._recorder = recorder
        self._times: dict[Any, int] = {}
        self._captured: dict[Any, Captured | None] = {}  # None: it cannot be
        self._eager = 0  # batches before the first replay
        parts = (gan.generator, gan.discriminator, gan.loss, gan.augment, gan.prior)
        modules = [m for part in (*parts, *gan.regularizers.values()) for m in part.modules()]
        self._settings = [vars(module) for module in modules]
        self._parameters = [*gan.generator.parameters(), *gan.discriminator.parameters()]

    def __reduce__(self) -> Any:
        return (type(None), ())  # a copy of the module has no graphs

    def play(self, real: Tensor, y: Any, phases: tuple[Player, ...]) -> dict[str, Tensor]:
        """Let players step on one batch; return the scalars that ``GANModule._play`` does.

        Raises:
            InputError: The steps cannot be captured. From torch 2.14 on, that holds for the first
                kind of batch; a later one costs a warning, and is computed step by step.
        """
        captured = None
        if phases and not self._gan._logs_batch() and not torch.is_anomaly_enabled():
            kind = self._kind(real, y, phases)
            if self._is_time(kind):
                self._captured[kind] = self._try_capture(real, y, phases)
            captured = self._captured.get(kind)
        if captured is not None:
            return self._replay(captured, _tensors(real, y), phases)
        self._tell()
        with self._recorder.aside():
            found: dict[str, Tensor] = self._gan._play(real, y, phases)
        self._drop_gradients()
        return found

    def _kind(self, real: Tensor, y: Any, phases: tuple[Player, ...]) -> Any:
        """Return all that a graph repeats and that is known to change between batches.

        Besides the batch's form, what the players do, and the settings of their optimizers, these
        are the plain numbers and modes of all parts, which schedules, callbacks and the parts
        themselves may change.
        """
        gan = self._gan
        progress, due = gan.progress, []
        for player in phases:
            due.append(tuple(gan._due_regularizers(player, progress)))
            progress = progress.after_step(player)
        groups = [group for o in gan._optimizers().values() for group in o.param_groups]
        return (
            phases,
            tuple(due),
            repr(map_labels(_form, (real, y))),
            repr([group[k] for group in groups for k in group if k not in ("params", "lr")]),
            tuple([getattr(gan, name) for name in OPTIONS]),
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
                rank_zero_warn(
                    f"graph: the first {TOLD_AFTER} batches were computed step by step, because "
                    "they were all logged or a number changes with each: a scheduled one, one that "
                    "a part counts, the momentum of a cyclic learning rate, or the batch size"
                )

    def _drop_gradients(self) -> None:
        for optimizer in self._gan._optimizers().values():
            optimizer.zero_grad()

    def _try_capture(self, real: Tensor, y: Any, phases: tuple[Player, ...]) -> Captured | None:
        try:
            return self._capture(real, y, phases)
        except InputError as error:
            if not (self._captured and self._recorder.forgives):
                raise
            rank_zero_warn(f"{error}. Batches of this kind are computed step by step.")
            return None
        finally:
            self._drop_gradients()

    def _capture(self, real: Tensor, y: Any, phases: tuple[Player, ...]) -> Captured:
        gan, inputs = self._gan, [tensor.clone() for tensor in _tensors(real, y)]
        waiting = iter(inputs)
        real, y = map_labels(lambda _: next(waiting), (real, y))
        optimizers = [gan._optimizers()[player].optimizer for player in phases]
        rates = [Rates(optimizer, gan.device) for optimizer in optimizers]

        def work() -> tuple[list[str], list[Player], Tensor]:
            found = gan._play(real, y, phases)
            verdicts = gan._guard.verdicts
            values = [*found.values(), *(verdict for _, verdict in verdicts)]
            wide = torch.float64 if any(v.dtype == torch.float64 for v in values) else torch.float32
            stacked = torch.stack([value.detach().to(wide) for value in values])
            return list(found), [player for player, _ in verdicts], stacked

        try:
            with _capturing(gan, phases, rates), _buffers_in_place(gan):
                replay, (keys, players, values) = self._recorder.record(work)
        except RuntimeError as error:
            raise InputError(_why(error)) from error
        return Captured(replay, inputs, rates, keys, players, values)

    def _replay(
        self, captured: Captured, tensors: list[Tensor], phases: tuple[Player, ...]
    ) -> dict[str, Tensor]:
        gan = self._gan
        for ours, theirs in zip(captured.inputs, tensors, strict=True):
            ours.copy_(theirs, non_blocking=True)
        for player, rates in zip(phases, captured.rates, strict=True):
            rates.fill()
            gan._count_step(player)
        captured.replay()
        values = captured.values.clone().unbind()  # the next replay writes there again
        count = len(captured.keys)
        gan._guard.verdicts = list(zip(captured.players, values[count:], strict=True))
        return dict(zip(captured.keys, values, strict=False))


def _tensors(real: Tensor, y: Any) -> list[Tensor]:
    found: list[Tensor] = []
    map_labels(lambda tensor: found.append(tensor) or tensor, (real, y))  # type: ignore[func-returns-value]
    return found


def _why(error: BaseException) -> str:
    """Return a sentence about a capture that failed."""
    while error.__context__ is not None:  # the end of a capture that has failed fails, too
        error = error.__context__
    if isinstance(error, torch.OutOfMemoryError):
        return (
            "graph keeps memory of its own for activations and gradients, and the GPU has not "
            "enough: lower data.batch_size, or set graph to false"
        )
    return (
        "graph: the steps of this GAN cannot be captured as a CUDA graph, because a part of it "
        "reads a tensor's value on the host or does something else that a graph cannot; set graph "
        f"to false ({type(error).__name__}: {' '.join(str(error).split())[:300]})"
    )


def _form(tensor: Tensor) -> Any:
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device


@contextmanager
def _capturing(gan: Any, phases: tuple[Player, ...], rates: list[Rates]) -> Iterator[None]:
    """Let steps be recorded that read their learning rates from memory, and count none of them."""
    schedulers, progress, verdicts = gan._lr_schedulers, gan.progress, gan._guard.verdicts
    groups = [g for o in gan._optimizers().values() for g in o.param_groups]
    own = [(group["lr"], group["capturable"]) for group in groups]
    gan._lr_schedulers, gan._captures = {}, True
    for player in Player:
        turns = [each for whose, each in zip(phases, rates, strict=True) if whose is player]
        gan._lr_schedulers[player] = _NextRates(gan._optimizers()[player], turns)
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        gan._lr_schedulers, gan._captures = schedulers, False
        gan.progress, gan._guard.verdicts = progress, verdicts
        for group, (rate, capturable) in zip(groups, own, strict=True):
            group["lr"], group["capturable"] = rate, capturable


@contextmanager
def _buffers_in_place(gan: Any) -> Iterator[None]:
    """Refuse layers that replace a buffer; a graph would go on reading the one of before."""
    places = [
        (layer, name, buffer)
        for layer in gan.modules()
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


def graphed_steps(gan: Any) -> GraphedSteps:
    """Return what plays the steps of a module whose training begins."""
    check_optimizers(gan)  # again: their states may come from a checkpoint
    return GraphedSteps(gan, RECORDERS[gan.device.type](gan.device, gan._noise))
