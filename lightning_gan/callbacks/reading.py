"""Batches as the module that is trained reads them."""

from __future__ import annotations

from typing import Any

from lightning_gan.game.batches import prepare_batch
from lightning_gan.game.gan import GAN
from lightning_gan.types import Batch


def read_as_told(module: Any, batch: Any) -> Batch:
    """Read a batch as a GAN was told to; of a module that is none, a pair or samples."""
    return module.read(batch) if isinstance(module, GAN) else prepare_batch(batch)
