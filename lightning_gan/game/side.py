"""One player of the game. Both are objects of one type; nothing looks a player up by its name."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lightning_gan.errors import InputError
from lightning_gan.game.optimization import (
    LRSchedulerCallable,
    OptimizerCallable,
    check_sparse,
    check_steps,
    group_rates,
    make_optimizer,
    make_scheduler,
)
from lightning_gan.types import Player, finite


@dataclass
class SideSettings:
    """How one player is trained.

    Attributes:
        player: Which of the two.
        make_optimizer: Makes its optimizer from parameters; None: Adam.
        make_lr_scheduler: Makes a scheduler of it; None: a constant rate.
        clip_norm: Largest norm of the gradient; None = do not clip.
        clip_value: Largest absolute value of an entry of the gradient; None = do not clip.
        weight: Factor of the adversarial term of its objective.
        compile: Whether its network is compiled when training starts.
        rates: Factors of its learning rate, by patterns of parameters' names.
    """

    player: Player
    make_optimizer: OptimizerCallable | None = None
    make_lr_scheduler: LRSchedulerCallable | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    weight: float = 1.0
    compile: bool = False
    rates: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for option in ("weight", "clip_norm", "clip_value"):
            value = getattr(self, option)
            if value is not None or option == "weight":
                # As a float: a schedule would keep a whole number whole.
                setattr(self, option, finite(value, self.named(option)))

    def named(self, option: str) -> str:
        """Return what the user calls one of these options."""
        return f"{self.player.value}_{option}"

    def check(self) -> None:
        """Check the numbers.

        Raises:
            InputError: One is out of its range, or two exclude each other.
        """
        bounds = {self.named("clip_norm"): self.clip_norm}
        bounds[self.named("clip_value")] = self.clip_value
        if None not in bounds.values():
            raise InputError(f"give {' or '.join(bounds)}, not both")
        for name, bound in bounds.items():
            if bound is not None and bound <= 0:
                raise InputError(f"{name} must be positive, got {bound}")
        if self.weight < 0:
            raise InputError(f"{self.named('weight')} must be 0 or more, got {self.weight}")


class Side:
    """One player while it plays: network, optimizer, scheduler and the updates left out.

    Args:
        settings: How it is trained.
        network: Its network.
        parts: What it trains besides.

    Attributes:
        optimizer: Its optimizer; None until :meth:`configure`, or where everything is frozen.
        scheduler: Its learning-rate scheduler, or None.
        skipped: How many of its updates were left out.
        ended: What to say of a scheduler that has come to its end; None before.
    """

    def __init__(
        self, settings: SideSettings, network: nn.Module, parts: Sequence[nn.Module] = ()
    ) -> None:
        self.settings, self.network, self.parts = settings, network, list(parts)
        self.optimizer: Optimizer | None = None
        self.scheduler: LRScheduler | None = None
        self.skipped = Skipped()
        self.ended: str | None = None
        self._rates: list[float] | None = None
        self._own: list[nn.Parameter] = []
        self._others: list[nn.Parameter] = []

    @property
    def player(self) -> Player:
        """Which of the two this is."""
        return self.settings.player

    def configure(self) -> None:
        """Make optimizer and scheduler."""
        settings = self.settings
        optimizer = make_optimizer(
            self.player, self.network, self.parts, settings.make_optimizer, settings.rates
        )
        scheduler = make_scheduler(self.player, optimizer, settings.make_lr_scheduler)
        self.adopt(optimizer, scheduler)

    def adopt(self, optimizer: Optimizer | None, scheduler: LRScheduler | None) -> None:
        """Take an optimizer and a scheduler.

        Raises:
            InputError: One asks for more than gradients at a step, or for gradients of another
                layout than its parameters have.
        """
        check_steps(self.player, optimizer, scheduler)
        check_sparse(self.player, optimizer, [self.network, *self.parts])
        self.optimizer, self.scheduler, self._rates = optimizer, scheduler, None

    def end_of_scheduler(self, error: ValueError) -> str:
        """Return what to say where the scheduler refuses a further step."""
        return (
            f"{self.settings.named('lr_scheduler')} is {type(self.scheduler).__name__} and has "
            f"come to its end before the training ({error}): give it as many steps as the "
            f"{self.player.value} makes"
        )

    def rates(self) -> list[float]:
        """Return the factor of the learning rate of each group of the optimizer's parameters."""
        groups = [] if self.optimizer is None else self.optimizer.param_groups
        if self._rates is None:
            declared = group_rates(self.player, self.network, self.parts)
            ours = len(declared) == len(groups)  # else somebody else made them
            self._rates = declared if ours else [1.0] * len(groups)
        return self._rates

    def left_out(self) -> list[str]:
        """Return the names of trainable parameters that are not in the optimizer."""
        groups = [] if self.optimizer is None else self.optimizer.param_groups
        taken = {id(p) for group in groups for p in group["params"]}
        return [
            f"{type(module).__name__}.{name}"
            for module in (self.network, *self.parts)
            for name, p in module.named_parameters()
            if p.requires_grad and id(p) not in taken
        ]

    def owns(self, optimizer: Optimizer) -> bool:
        """Whether an optimizer trains parameters of this player, and of this one alone."""
        own = {id(p) for module in (self.network, *self.parts) for p in module.parameters()}
        return all(id(p) in own for group in optimizer.param_groups for p in group["params"])

    def take_stock(self) -> None:
        """Note what is trainable now, for :meth:`frozen`."""
        self._own = [p for p in self.network.parameters() if p.requires_grad]
        self._others = [p for part in self.parts for p in part.parameters() if p.requires_grad]

    @property
    def trainable(self) -> list[nn.Parameter]:
        """What was trainable when stock was taken: of the network, then of the parts."""
        return [*self._own, *self._others]

    def with_gradient(self) -> list[nn.Parameter]:
        """Return the parameters of the optimizer that have a gradient."""
        assert self.optimizer is not None
        groups = self.optimizer.param_groups
        return [p for group in groups for p in group["params"] if p.grad is not None]

    @contextmanager
    def frozen(self, parts_alone: bool = False) -> Iterator[None]:
        """Spare the weight gradients of this player; what the user froze stays frozen.

        Args:
            parts_alone: Only those of what it trains besides its network.
        """
        parameters = [
            parameter
            for parameter in (self._others if parts_alone else self.trainable)
            if parameter.requires_grad
        ]
        for parameter in parameters:
            parameter.requires_grad = False
        try:
            yield
        finally:
            for parameter in parameters:
                parameter.requires_grad = True

    def state_dict(self) -> dict[str, Any]:
        """Return the state of optimizer and scheduler, and the counts."""
        return {
            "optimizer": None if self.optimizer is None else self.optimizer.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "skipped": self.skipped.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned.

        Raises:
            InputError: Other parameters were trained then.
        """
        optimizer, scheduler = state["optimizer"], state["scheduler"]
        if self.optimizer is not None and optimizer is not None:
            was, now = _sizes(optimizer), _sizes(self.optimizer.state_dict())
            if was != now:
                raise InputError(
                    f"{self.settings.named('optimizer')}: the saved state is that of {was} "
                    f"parameters (a number for each group), and {now} are trained now: freeze what "
                    "was frozen then, and nothing else"
                )
            # torch takes over tensors that fit: two optimizers would share moments and counts.
            self.optimizer.load_state_dict(copy.deepcopy(optimizer))
        if self.scheduler is not None and scheduler is not None:
            self.scheduler.load_state_dict(scheduler)
        self.skipped.load_state_dict(state["skipped"])


def _sizes(optimizer: dict[str, Any]) -> list[int]:
    return [len(group["params"]) for group in optimizer["param_groups"]]


class Skipped:
    """Counts of a player's updates that were left out; verdicts wait on the device.

    Attributes:
        total: How many.
        in_a_row: How many were the last ones, without one between them that was not.
    """

    def __init__(self) -> None:
        self.total = 0
        self.in_a_row = 0
        self.waiting: list[Tensor] = []  # verdicts that are in no count yet
        self._ever_judged = False
        self._judged = False  # since the last look
        self._most_in_a_row = 0

    def count(self) -> int | None:
        """Return how many were left out; None where none was ever judged.

        Here the host waits for the device, to read the verdicts that are in no count yet.
        """
        if self.waiting:
            self._judged = self._ever_judged = True
            for skip in torch.stack(self.waiting).tolist():
                self.in_a_row = self.in_a_row + 1 if skip else 0
                self._most_in_a_row = max(self._most_in_a_row, self.in_a_row)
                self.total += int(skip)
            self.waiting = []
        return self.total if self._ever_judged else None

    def most_in_a_row(self) -> int | None:
        """Return the longest row since the last call; None where nothing was judged since."""
        self.count()
        most, judged = self._most_in_a_row, self._judged
        self._most_in_a_row, self._judged = 0, False
        return most if judged else None

    def state_dict(self) -> dict[str, int | bool]:
        """Return the counts."""
        self.count()
        return {"total": self.total, "in_a_row": self.in_a_row, "judged": self._ever_judged}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self.total, self.in_a_row = state["total"], state["in_a_row"]
        self._ever_judged = bool(state["judged"])
        self.waiting = []
