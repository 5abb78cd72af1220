"""Hooks that do nothing are not called.

Lightning formats a name and enters a context for every hook of every callback, also for the empty
ones of the base class: of ten callbacks these cost half a millisecond a batch. It passes over what
is not callable, which stands in for the empty hooks while batches are trained, in the instances
alone: ``super()`` finds what it always did.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytorch_lightning as pl

PACKAGE = "lightning_gan."

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
    own = getattr(listener, name, EMPTY)
    return own is not EMPTY and getattr(own, "__func__", own) is not getattr(base, name)


def pass_over_empty(trainer: pl.Trainer) -> None:
    """Let no empty hook around batches of our own callbacks and module be called."""
    restore(trainer)  # an earlier fit may have ended by an error
    for listener, base in _ours(trainer):
        for name in HOOKS:
            if not overrides(listener, name, base):
                vars(listener)[name] = EMPTY


def restore(trainer: pl.Trainer) -> None:
    """Give callbacks and module their empty hooks back."""
    for listener, _ in _ours(trainer):
        for name in HOOKS:
            if vars(listener).get(name) is EMPTY:
                del vars(listener)[name]


def listeners(trainer: pl.Trainer, name: str) -> list[Callable[..., Any]]:
    """Return the hooks of a name that callbacks and module override, bound to the training.

    In Lightning's order: callbacks, then the module.
    """
    module = trainer.lightning_module
    found: list[Callable[..., Any]] = [
        partial(getattr(callback, name), trainer, module)
        for callback in trainer.callbacks  # type: ignore[attr-defined]
        if overrides(callback, name) and callable(getattr(callback, name))
    ]
    if overrides(module, name, pl.LightningModule):
        found.append(getattr(module, name))
    return found


def _ours(trainer: pl.Trainer) -> list[tuple[Any, type]]:
    """Return our own callbacks and module; what others wrote is never altered."""
    callbacks = [(each, pl.Callback) for each in trainer.callbacks]  # type: ignore[attr-defined]
    both = [*callbacks, (trainer.lightning_module, pl.LightningModule)]
    return [(each, base) for each, base in both if type(each).__module__.startswith(PACKAGE)]
