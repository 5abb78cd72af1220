"""Hooks that do nothing are not called.

Lightning formats a name and enters a context for every hook of every callback, also for the empty
ones of the base class: of ten callbacks these cost half a millisecond a batch. It passes over hooks
that are None, which this file makes of the empty ones, in the instance alone: classes keep theirs,
for ``super()`` and for whoever looks.
"""

from __future__ import annotations

import pytorch_lightning as pl

HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)


def pass_over_empty_hooks(trainer: pl.Trainer) -> None:
    """Make None of the hooks around batches that callbacks and module do not override.

    Args:
        trainer: Whose callbacks and module; a hook that they have got since the last time is heard.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    listeners = [(callback, pl.Callback) for callback in callbacks]
    for listener, base in [*listeners, (trainer.lightning_module, pl.LightningModule)]:
        own = vars(listener)
        for name in HOOKS:
            if name in own and own[name] is None:
                del own[name]
            if name not in own and getattr(type(listener), name) is getattr(base, name):
                own[name] = None
