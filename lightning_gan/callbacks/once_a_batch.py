"""The base of callbacks that act once a batch at most."""

from __future__ import annotations

import pytorch_lightning as pl


class OnceABatch(pl.Callback):
    """A callback without hooks around backward passes and optimizer steps.

    Lightning formats a name and enters a context for every hook of every callback, also where the
    hook does nothing, and passes over hooks that are None. Of ten callbacks these three hooks, of
    two players each, cost half a millisecond a step.
    """

    on_before_backward = None  # type: ignore[assignment]
    on_after_backward = None  # type: ignore[assignment]
    on_before_optimizer_step = None  # type: ignore[assignment]
