"""What all callbacks share that act every n steps, rounds or epochs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import pytorch_lightning as pl

from lightning_gan.errors import InputError


class Periodic(pl.Callback, ABC):
    """Acts at every period, and once more at the end of training.

    A subclass defines :meth:`act`, and :meth:`check`, :meth:`start` and :meth:`see` where it needs
    them. At the end there is nothing to do where the last step was acted at, or none was trained.

    Args:
        every_n_steps: Period in batches; None: never.
        every_n_rounds: Period in rounds, in place of steps.
        every_n_epochs: Period in epochs, in place of steps.
        dense_every: Shorter period at the beginning, in the same unit.
        dense_until: Last count of the shorter period.

    Attributes:
        at_end: Whether to act at the end, too.
        module_key: What messages write before the names of the module's settings: the command says
            ``model.``, and in Python they have their names alone.
        cadence: The period.

    Raises:
        InputError: As :class:`Cadence` says, with the name of the callback's class.

    Example:
        >>> class Say(Periodic):
        ...     def act(self, trainer, module):
        ...         print(f"step {trainer.global_step}")
        >>> say = Say(every_n_steps=100)
    """

    at_end: ClassVar[bool] = True
    module_key = ""

    def __init__(
        self,
        every_n_steps: int | None,
        every_n_rounds: int | None = None,
        every_n_epochs: int | None = None,
        dense_every: int | None = None,
        dense_until: int | None = None,
    ) -> None:
        periods = (every_n_steps, every_n_rounds, every_n_epochs, dense_every, dense_until)
        self.cadence = Cadence(type(self).__name__, *periods)
        self._acted_at = 0

    @abstractmethod
    def act(self, trainer: pl.Trainer, module: Any) -> None:
        """Do what is due; every rank calls this."""

    def check(self, module: Any) -> None:
        """Refuse a module that this callback can do nothing for, before training."""

    def start(self, trainer: pl.Trainer, module: Any) -> None:
        """Make ready where training starts, and forget an earlier training of this object."""

    def see(self, trainer: pl.Trainer, module: Any, batch: Any) -> None:
        """Look at the batch that just ended, before what is due."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Check the module."""
        if stage == "fit":
            self.check(pl_module)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count from where training starts."""
        self.cadence.start(trainer, pl_module)
        self._acted_at = trainer.global_step
        self.start(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Act where it is due."""
        self.see(trainer, pl_module, batch)
        if self.cadence.tick(trainer, pl_module):
            self._acted_at = trainer.global_step
            self.act(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Act on what training ends with, unless this step has been."""
        if self.at_end and trainer.global_step != self._acted_at:
            self._acted_at = trainer.global_step
            self.act(trainer, pl_module)


class Cadence:
    """A period in steps, rounds or epochs, counted from the beginning of training.

    Because the period's multiples count, and not the time since the last one, a resumed run acts
    at the same steps as one that was never stopped. Rounds are those of
    :class:`~lightning_gan.types.Progress`. Epochs are whole passes over the training batches,
    ``global_step // trainer.num_training_batches``: Lightning's own number of the epoch, which
    runs ahead in a resumed run, counts only where the loader has no length.

    Args:
        owner: Whose period, for error messages.
        every_n_steps: Period in batches; None: never.
        every_n_rounds: Period in rounds, in place of steps.
        every_n_epochs: Period in epochs, in place of steps.
        dense_every: Shorter period at the beginning, in the same unit.
        dense_until: Last count of the shorter period.

    Raises:
        InputError: A number is below 1, both rounds and epochs are given, or one of the two numbers
            of the dense beginning is missing.

    Example:
        >>> Cadence("SampleGrid", every_n_steps=500, every_n_rounds=20).unit
        'round'
    """

    def __init__(
        self,
        owner: str,
        every_n_steps: int | None,
        every_n_rounds: int | None = None,
        every_n_epochs: int | None = None,
        dense_every: int | None = None,
        dense_until: int | None = None,
    ) -> None:
        periods = {"every_n_steps": every_n_steps, "every_n_rounds": every_n_rounds}
        periods["every_n_epochs"] = every_n_epochs
        check_positive(owner, **periods, dense_every=dense_every, dense_until=dense_until)
        if every_n_rounds is not None and every_n_epochs is not None:
            raise InputError(
                f"{owner} expects one period, got every_n_rounds={every_n_rounds} and "
                f"every_n_epochs={every_n_epochs}; leave one of them out"
            )
        if (dense_every is None) != (dense_until is None):
            raise InputError(
                f"{owner} expects dense_every and dense_until together, got "
                f"dense_every={dense_every} and dense_until={dense_until}; give both or neither"
            )
        name = next((n for n in reversed(periods) if periods[n] is not None), "every_n_steps")
        self.owner = owner
        self.every = periods[name]
        self.unit = name.removeprefix("every_n_").removesuffix("s")
        self._never = self.every is None and dense_every is None
        self._dense_every = dense_every or 1
        self._dense_until = dense_until or 0
        self._ended = 0  # periods so far

    def start(self, trainer: pl.Trainer, module: Any) -> None:
        """Count from where training starts, which is not the beginning where it is resumed."""
        self._ended = self._periods(self.count(trainer, module))

    def tick(self, trainer: pl.Trainer, module: Any) -> bool:
        """Count on, and return whether a multiple of the period was reached or passed.

        "Passed", because a module that is not ours may count more than one step a batch.
        """
        if self._never:
            return False
        before, self._ended = self._ended, self._periods(self.count(trainer, module))
        return self._ended > before

    def count(self, trainer: pl.Trainer, module: Any) -> int:
        """Return the steps, rounds or epochs since the beginning of training.

        Raises:
            InputError: Rounds are asked for, and the module does not count them.
        """
        if self.unit == "round":
            rounds: int | None = getattr(getattr(module, "progress", None), "rounds", None)
            if rounds is None:
                raise InputError(
                    f"{self.owner}: every_n_rounds expects a module that counts rounds in "
                    f"progress.rounds, got {type(module).__name__}; use every_n_steps"
                )
            return rounds
        if self.unit == "epoch":
            if math.isinf(trainer.num_training_batches):
                return trainer.current_epoch
            return trainer.global_step // int(trainer.num_training_batches)
        return trainer.global_step

    def _periods(self, count: int) -> int:
        """Return how many periods have ended, dense ones first."""
        early = min(count, self._dense_until)
        late = 0 if self.every is None else count // self.every - early // self.every
        return early // self._dense_every + late


def check_positive(owner: str, **numbers: int | None) -> None:
    """Refuse numbers below 1; None is no number.

    Raises:
        InputError: A number is below 1.
    """
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise InputError(f"{owner}: {name} must be at least 1, got {number}")
