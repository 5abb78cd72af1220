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
from typing import Any, NamedTuple, TypeVar

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from lightning_gan import hooks
from lightning_gan.errors import InputError
from lightning_gan.types import Player, map_labels

WARMUP = 3  # batches of a kind before it is captured, in which libraries choose their kernels
MOST = 16  # kinds that are captured; others are computed step by step
STEP_HOOKS = (
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)
Result = TypeVar("Result")


class CudaRecorder:
    """Records what is computed on a GPU.

    Args:
        device: The GPU.
        noise: The generator, besides torch's own, from which the recorded work draws.
    """

    def __init__(self, device: torch.device, noise: torch.Generator) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self._noise = noise

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Compute on the stream that captures, so that nothing is bound to another one."""
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            yield
        current.wait_stream(self._stream)

    def record(self, work: Callable[[], Result]) -> tuple[Callable[[], None], Result]:
        """Record work without doing it.

        Returns:
            A function that does it, and the result, whose tensors each call fills.

        Raises:
            RuntimeError: The work needs the host, to read a value, for example.
        """
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._noise)
        # Threads that load data may go on using the driver meanwhile.
        mode = "thread_local"
        with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode=mode):
            result = work()
        return graph.replay, result


RECORDERS: dict[str, Any] = {"cuda": CudaRecorder}  # by type of device


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

    Batches that are logged, and those computed under autograd's anomaly mode, always are.

    Args:
        gan: The module, with its random generator, about to be trained.
        recorder: Records the steps.
    """

    def __init__(self, gan: Any, recorder: Any) -> None:
        self._gan = gan
        self._recorder = recorder
        self._times: dict[Any, int] = {}
        self._captured: dict[Any, Captured] = {}

    def __reduce__(self) -> Any:
        return (type(None), ())  # a copy of the module has no graphs

    def play(self, real: Tensor, y: Any, phases: tuple[Player, ...]) -> dict[str, Tensor]:
        """Let players step on one batch; return the scalars that ``GANModule._play`` does.

        Raises:
            InputError: The steps cannot be captured.
        """
        tensors = _tensors(real, y)
        kind = self._kind(tensors, phases)
        captured = self._captured.get(kind)
        if self._gan._logs_batch() or torch.is_anomaly_enabled() or not phases:
            captured = None
        elif captured is None and self._is_time(kind):
            captured = self._captured[kind] = self._capture(real, y, phases)
        if captured is None:
            with self._recorder.aside():
                found: dict[str, Tensor] = self._gan._play(real, y, phases)
            return found
        return self._replay(captured, tensors, phases)

    def _is_time(self, kind: Any) -> bool:
        if len(self._times) > 100 * MOST:  # numbers that never come again
            self._times = {}
        self._times[kind] = self._times.get(kind, 0) + 1
        return self._times[kind] > WARMUP and len(self._captured) < MOST

    def _kind(self, tensors: list[Tensor], phases: tuple[Player, ...]) -> Any:
        """Return all that is fixed when a batch is captured, as far as it is known to change."""
        gan = self._gan
        progress, due = gan.progress, []
        for player in phases:
            found = gan._due_regularizers(player, progress)
            due.append(tuple((name, each.weight) for name, each in found.items()))
            progress = progress.after_step(player)
        groups = [g for o in gan._optimizers().values() for g in o.param_groups]
        return (
            phases,
            tuple(due),
            tuple((t.shape, t.dtype, t.stride()) for t in tensors),
            tuple(schedule.at(gan.progress.images) for schedule in gan.schedules.values()),
            tuple(repr([group[k] for k in group if k not in ("params", "lr")]) for group in groups),
        )

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
            raise InputError(
                "graph: the steps of this GAN cannot be captured as a CUDA graph, because a part "
                "of it reads a tensor's value on the host or does something else that a graph "
                "cannot; set graph to false "
                f"({type(error).__name__}: {' '.join(str(error).split())[:300]})"
            ) from error
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


def begin(gan: Any) -> GraphedSteps:
    """Return what plays the steps of a module whose training begins."""
    return GraphedSteps(gan, RECORDERS[gan.device.type](gan.device, gan._noise))


def check_graph(gan: Any, trainer: pl.Trainer) -> None:
    """Refuse, before the first step, what cannot be captured.

    Args:
        gan: The module, on its device, with its optimizers.
        trainer: The Trainer that is about to train it.

    Raises:
        InputError: There is no GPU, there are several processes, or a part or a callback acts in
            Python at every step.
    """
    if gan.device.type not in RECORDERS:
        raise InputError(
            f"graph captures steps as CUDA graphs, and this run computes on {gan.device.type}: set "
            "trainer.accelerator=gpu where there is one, or graph to false"
        )
    if trainer.world_size > 1:
        raise InputError(
            f"graph captures the steps of one process, got {trainer.world_size}: set "
            "trainer.devices=1, or graph to false"
        )
    for player, made in gan._made.items():
        optimizer = made["optimizer"]
        adam = isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW))
        if not (adam and all(group["fused"] for group in optimizer.param_groups)):
            raise InputError(
                "graph needs optimizers that leave out a step that is not finite without asking "
                f"the host, torch's fused Adam or AdamW; {player.value}_optimizer is "
                f"{type(optimizer).__name__}{', not fused' if adam else ''}: choose one of them, "
                "or set graph to false"
            )
    for name, part in (("augment", gan.augment), *gan.regularizers.items()):
        if part.observes:
            raise InputError(
                f"graph repeats what was captured, and {name} ({type(part).__name__}) changes by "
                "what it observes: leave it out, or set graph to false"
            )
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        acting = [name for name in STEP_HOOKS if hooks.overrides(callback, name)]
        if acting:
            raise InputError(
                f"graph passes over the hooks of a step, and {type(callback).__name__} has "
                f"{acting[0]}: leave it out, or set graph to false"
            )
