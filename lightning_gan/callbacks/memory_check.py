"""What a run is going to take of memory, before the first step."""

from __future__ import annotations

import copy
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from lightning_gan.data.memory import available_memory, gigabytes
from lightning_gan.errors import InputError

COPIES = 3  # of the weights, beside them: gradients and Adam's two moments
PASSING = 1.5  # what is held for a moment, too; DCGAN and FastGAN took .7 to 1.0 of the product


class MemoryCheck(pl.Callback):
    """Say what memory a run will take, and refuse one that does not fit.

    Before the first step the networks run once on tensors without values, where nothing is computed
    or allocated, and what autograd would keep is added up (:func:`memory_of_updates`). Nothing is
    said of networks that do not run on such tensors.

    Attributes:
        module_key: What the error writes before the names of the module's settings: the command
            says ``model.``, and in Python they have their names alone.
        data_key: The same of the data: ``data.`` in the command.

    Raises:
        InputError: The updates need more memory than is free.
    """

    module_key = ""
    data_key = ""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare what the updates need with what is free."""
        size = getattr(getattr(trainer, "datamodule", None), "batch_size", None)
        free = free_memory(pl_module.device)
        pieces = getattr(pl_module, "micro_batches", 1)
        needed = None if size is None else memory_of_updates(pl_module, -(-size // pieces))
        if needed is None or free is None or size is None:
            return
        if needed > free:
            raise InputError(
                f"batches of {size} need about {gigabytes(needed)} GB of memory, and "
                f"{gigabytes(free)} GB are free: set {self.data_key}batch_size="
                f"{max(1, size // 2)}, {self.module_key}micro_batches={2 * pieces} or a smaller "
                f"{self.data_key}image_size"
            )
        if trainer.is_global_zero:
            print(f"memory: about {gigabytes(needed)} GB of {gigabytes(free)} GB free", flush=True)


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that a device has left, or None where it does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return available_memory() if device.type == "cpu" else None


def memory_of_updates(gan: Any, n: int) -> int | None:
    """Return the bytes that an update of D and one of G take beside the weights, roughly.

    That is gradients and Adam's moments, and the larger of what autograd keeps for the two updates:
    G and D on a batch, or D on real samples and fakes. A term that differentiates D twice keeps
    as much again. Half as much is added for what layers use in passing.

    Args:
        gan: A GAN; it stays as it is.
        n: Samples of a batch.

    Returns:
        None where the networks do not run without values.
    """
    weights = sum(p.nbytes for p in gan.parameters() if p.requires_grad)
    try:
        generator, discriminator = (
            copy.deepcopy(each).to("meta").train() for each in (gan.generator, gan.discriminator)
        )
        y = None
        if getattr(generator, "num_classes", None) is not None:
            y = torch.zeros(n, dtype=torch.int64, device="meta")
        z = torch.empty(n, generator.latent_dim, device="meta")
        x = torch.empty(n, *generator.sample_shape, device="meta", requires_grad=True)
        of_generator, of_discriminator = _kept(generator, z, y), _kept(discriminator, x, y)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return None
    twice = 4 if len(gan.regularizers) else 2
    kept = max(of_generator + of_discriminator, twice * of_discriminator)
    return int(PASSING * (COPIES * weights + kept))


def _kept(network: nn.Module, *inputs: Any) -> int:
    """Return the bytes that autograd keeps of a forward pass, without those of the weights."""
    sizes: dict[StorageWeakRef, int] = {}
    weights = {_place(each) for each in network.parameters()}

    def note(saved: Tensor) -> Tensor:
        place = _place(saved)
        if place not in weights:
            sizes[place] = saved.untyped_storage().nbytes()
        return saved

    with torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
        network(*inputs)
    return sum(sizes.values())


def _place(tensor: Tensor) -> StorageWeakRef:
    """Return what tensors of one storage share; while it is kept, no other storage gets it."""
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
