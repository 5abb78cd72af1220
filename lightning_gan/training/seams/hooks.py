"""Hooks that do nothing are not called.

Lightning formats a name and enters a context for every hook of every callback, also for the empty
ones of the base class: of ten callbacks these cost half a millisecond a batch. It passes over what
is not callable, which stands in for the empty hooks while batches are trained, in the instances
alone: ``super()`` finds what it always did.
"""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)


class _Empty:
    """Stands in for an empty hook; there is one, also after a copy or a pickle."""

    __wrapped__ = None  # where Lightning asks whether it is overridden: it is not

    def __reduce__(self) -> str:
        return "EMPTY"


EMPTY = _Empty()


def overrides(listener: Any, name: str, base: type = pl.Callback) -> bool:
    """Whether a callback, or a module where ``base`` says so, has a hook of its own."""
    own = vars(listener).get(name, EMPTY) is not EMPTY
    return own or getattr(type(listener), name, None) is not getattr(base, name)


def pass_over_empty(trainer: pl.Trainer) -> None:
    """Let no hook around batches be called that callbacks and module do not override."""
    restore(trainer)  # an earlier fit may have ended by an error
    for listener, base in _listeners(trainer):
        for name in HOOKS:
            if not overrides(listener, name, base):
                vars(listener)[name] = EMPTY


def restore(trainer: pl.Trainer) -> None:
    """Give callbacks and module their empty hooks back."""
    for listener, _ in _listeners(trainer):
        for name in HOOKS:
            if vars(listener).get(name) is EMPTY:
                del vars(listener)[name]


def _listeners(trainer: pl.Trainer) -> list[tuple[Any, type]]:
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    module = (trainer.lightning_module, pl.LightningModule)
    return [*((callback, pl.Callback) for callback in callbacks), module]
