"""Conditions of held-out samples before the first validation, from a loader of our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import LightningDataModule, Trainer
from pytorch_lightning.utilities import rank_zero_info

from lightning_gan.game import randomness
from lightning_gan.game.gan import GAN


def hold_out(trainer: Trainer, gan: GAN) -> None:
    """Hold the first validation batch, from which conditions are drawn that nobody names.

    It comes from a new loader of the data module's ``val_dataloader`` and is moved as batches are;
    random states are as they were. A loader without a data module is somebody else's and is not
    touched: its conditions are there after the first validation. So they are, said once, where the
    loader fails.

    Args:
        trainer: It is going to train.
        gan: The module; where it holds samples already, or draws classes, nothing is done.
    """
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    known = gan.conditions.held is not None or gan.conditions.classes is not None
    if known or not _has_loader(data):
        return
    with randomness.all_preserved(trainer.strategy.root_device):
        try:
            found = _first_batch(data.val_dataloader())
            if found is None:
                return
            batch = trainer.precision_plugin.convert_input(found)
            for owner in (data, trainer.lightning_module):
                batch = owner.on_before_batch_transfer(batch, 0)
            read = gan.read(trainer.strategy.batch_to_device(batch))
        except Exception as error:  # of code that is not ours, for what training can do without
            rank_zero_info(
                f"no held-out batch before the first validation: {type(error).__name__}: "
                f"{' '.join(str(error).split())}"
            )
            return
    gan.conditions.hold(read.real, read.y)


def _has_loader(data: Any) -> bool:
    own = getattr(type(data), "val_dataloader", None)
    changed = own is not LightningDataModule.val_dataloader or "val_dataloader" in vars(data)
    return isinstance(data, LightningDataModule) and changed


def _first_batch(loader: Any) -> Any:
    """Return the first batch, of the first of several loaders; None where there is none.

    Nor is there one of what can be iterated only once.
    """
    if isinstance(loader, Mapping):
        loader = list(loader.values())
    if isinstance(loader, (list, tuple)):
        return _first_batch(loader[0]) if loader else None
    with randomness.all_preserved(torch.device("cpu"), getattr(loader, "generator", None)):
        batches = iter(loader)
        return None if batches is loader else next(batches, None)
