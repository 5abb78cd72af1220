"""How long a training is going to be, where that can be known."""

from __future__ import annotations

from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import EarlyStopping, Timer
from torch.utils.data import BatchSampler, DataLoader


def batches_ahead(trainer: Trainer) -> int | None:
    """Return how many batches are going to be trained; None where something may end it earlier.

    A callback that may says so by an attribute ``ends_early``.
    """
    early = (EarlyStopping, Timer)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, early) or getattr(callback, "ends_early", False):
            return None
    found = []
    if trainer.max_steps >= 0:
        found.append(trainer.max_steps - trainer.global_step)
    epochs, an_epoch = trainer.max_epochs, trainer.num_training_batches
    if epochs is not None and epochs >= 0 and isinstance(an_epoch, int):
        found.append(epochs * an_epoch - trainer.global_step)
    return max(min(found), 0) if found else None


def last_batch(trainer: Trainer) -> int | None:
    """Return the number of samples in the last batch of an epoch.

    None where the loader does not tell it, or training does not get that far.
    """
    loader: Any = trainer.train_dataloader
    sampler = getattr(loader, "batch_sampler", None)
    if not isinstance(loader, DataLoader) or type(sampler) is not BatchSampler:
        return None
    try:
        n, batches = len(sampler.sampler), len(loader)  # type: ignore[arg-type]
    except TypeError:  # of a sampler without a length
        return None
    ahead = batches_ahead(trainer)
    if trainer.num_training_batches < batches or (ahead is not None and ahead < batches):
        return None
    rest = n % sampler.batch_size
    return sampler.batch_size if sampler.drop_last or rest == 0 else rest
