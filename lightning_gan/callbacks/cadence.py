"""When a callback that acts every n steps has to act."""

from __future__ import annotations


def is_due(step: int, last: int, every_n_steps: int | None) -> bool:
    """Whether a multiple of ``every_n_steps`` was reached or passed since step ``last``.

    "Passed", because a module that is not ours may count more than one step a batch.

    Args:
        step: ``trainer.global_step`` now.
        last: The step of the last time, or at which training started.
        every_n_steps: None: never.

    Example:
        >>> [is_due(step, last=4, every_n_steps=5) for step in (4, 5, 6)]
        [False, True, True]
    """
    return every_n_steps is not None and step // every_n_steps > last // every_n_steps
