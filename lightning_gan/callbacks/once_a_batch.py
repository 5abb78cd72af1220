"""The base of callbacks that act once a batch at most."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

HOOKS = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")


class OnceABatch(pl.Callback):
    """A callback without hooks around backward passes and optimizer steps.

    Lightning formats a name and enters a context for every hook of every callback, also where the
    hook does nothing, and passes over hooks that are None. Of ten callbacks these three hooks, of
    two players each, cost half a millisecond a step. A subclass may define them; there is none to
    call by ``super()``.
    """

    on_before_backward = None  # type: ignore[assignment]
    on_after_backward = None  # type: ignore[assignment]
    on_before_optimizer_step = None  # type: ignore[assignment]

    def __init_subclass__(cls, **options: Any) -> None:
        """Let a hook of another base be heard, though it comes after None."""
        super().__init_subclass__(**options)
        for name in HOOKS:
            bases = (vars(base).get(name) for base in cls.__mro__ if base is not pl.Callback)
            hook = next((found for found in bases if callable(found)), None)
            if getattr(cls, name) is None and hook is not None:
                setattr(cls, name, hook)
