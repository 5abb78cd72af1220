"""Batches of one sample, of which batch norm cannot take a mean and a variance."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from lightning_gan.errors import InputError
from lightning_gan.game import randomness
from lightning_gan.game.conditions import class_entry, with_classes
from lightning_gan.game.gan import GAN
from lightning_gan.game.preserving import preserved_state
from lightning_gan.step import called
from lightning_gan.types import Batch, rows

REFUSED = "Expected more than 1 value per channel when training"  # as torch says it


def piece_sizes(n: int, count: int) -> list[int]:
    """Return how many of n samples are in each of ``count`` nearly equal pieces."""
    size = -(-n // count)
    return [min(size, n - start) for start in range(0, n, size)]


def check_single(gan: GAN, batch: Batch, last: int) -> None:
    """Try the networks on one sample, where a later batch or a piece of it is going to hold one.

    Nothing of the networks and of the random states changes.

    Args:
        gan: The GAN.
        batch: The first batch.
        last: Samples in the last batch of an epoch.

    Raises:
        InputError: A network's batch norm needs two.
    """
    networks = (gan.generator, gan.discriminator)
    if 1 not in piece_sizes(last, gan.micro_batches) or not any(map(_norm_of, networks)):
        return
    real, y = batch.real[:1], rows(batch.y, slice(0, 1))
    z = torch.zeros(1, gan.generator.latent_dim, device=real.device, dtype=real.dtype)
    fake_y = y
    if gan.fake_labels == "uniform":
        first = torch.zeros(1, dtype=torch.int64, device=real.device)
        fake_y = with_classes(first, class_entry(gan.generator), y)
    with torch.no_grad(), randomness.preserved(real.device), preserved_state(*networks):
        try:
            called(gan.generator, z, fake_y)
            called(gan.discriminator, real, y)
        except ValueError as error:
            said = of_one_sample(error, gan, last)
            if said is None:
                raise
            raise InputError(f"the last batch of an epoch is {said}") from error


def of_one_sample(error: ValueError, gan: GAN, n: int) -> str | None:
    """Return in words that batch norm was given one sample; None where an error says another thing.

    Args:
        error: What was raised.
        gan: The GAN.
        n: Samples in the batch.
    """
    players = (("generator", gan.generator), ("discriminator", gan.discriminator))
    norms = [(name, _norm_of(network)) for name, network in players]
    where = " and ".join(f"{norm} of the {name}" for name, norm in norms if norm)
    if not str(error).startswith(REFUSED) or not where:
        return None
    needs = f"of which {where} cannot take a mean and a variance"
    if n == 1:
        return (
            f"one sample, {needs}: leave such a batch out with DataLoader(..., drop_last=True), or "
            "choose a batch_size that leaves two or more"
        )
    return (
        f"one of {n} samples, which micro_batches={gan.micro_batches} cuts into a piece of one, "
        f"{needs}: set micro_batches to {n // 2} or less, or choose a batch_size that it divides"
    )


def _norm_of(network: nn.Module) -> str | None:
    """Return the class of a network's first batch norm that takes its statistics of the batch."""
    layers = (layer for layer in network.modules() if isinstance(layer, _BatchNorm))
    return next((type(layer).__name__ for layer in layers if layer.training), None)
