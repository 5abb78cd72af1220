"""Batches that are on their device already are handed over as they are.

Lightning asks before each batch whether module or data module override one of three hooks, by
looking through their classes and signatures: a tenth of the Python calls of a small step. Who does
is known when training starts. This is the one file that knows the private name
``LightningModule._apply_batch_transfer_handler``, which GANModule overrides;
``tests/training/test_transfer.py`` guards it.
"""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from torch import Tensor

HOOKS = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")


def moves_nothing_else(trainer: Trainer) -> bool:
    """Whether neither module nor data module has a hook of its own around a batch's transfer."""
    module, data = trainer.lightning_module, trainer.datamodule  # type: ignore[attr-defined]
    return not any(
        getattr(type(module), name) is not getattr(LightningModule, name)
        or name in vars(module)
        or (
            data is not None
            and (
                getattr(type(data), name, None) is not getattr(LightningDataModule, name)
                or name in vars(data)
            )
        )
        for name in HOOKS
    )


def is_there(batch: Any, device: torch.device) -> bool:
    """Whether a batch is a tensor, or a tuple or list of tensors, on a device."""
    if isinstance(batch, Tensor):
        return batch.device == device
    if type(batch) not in (tuple, list):
        return False
    return False not in [isinstance(e, Tensor) and e.device == device for e in batch]
