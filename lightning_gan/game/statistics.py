"""Batch-norm statistics of a generator, estimated anew, and networks looked at in eval mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lightning_gan.game.conditions import generated
from lightning_gan.step import called


@torch.no_grad()
def reestimate_statistics(
    generator: nn.Module, draw: Callable[[], tuple[Tensor, Any]], batches: int = 16
) -> None:
    """Replace batch-norm statistics by the average over generated batches.

    The rest of the network stays in eval mode (no dropout). Networks without batch norm are left
    as they are.

    Args:
        generator: Network whose batch-norm layers are re-estimated in place.
        draw: Returns the latents (N, Z) and labels of one batch.
        batches: Number of batches to average over.

    Raises:
        NoConditionError: It asks for a condition, and there is none to draw; nothing has changed.
    """
    norms = [layer for layer in generator.modules() if isinstance(layer, _BatchNorm)]
    if not norms:
        return
    momenta = [layer.momentum for layer in norms]
    with evaluating(generator):
        first = draw()
        if first[1] is None:
            generated(generator, *first)
        for layer in norms:
            layer.reset_running_stats()
            layer.momentum = None  # cumulative average
            layer.train()
        for number in range(batches):
            called(generator, *(draw() if number else first))
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


@contextmanager
def evaluating(network: nn.Module) -> Iterator[nn.Module]:
    """Put a network into eval mode and every layer back into its own mode afterwards."""
    modes = [(layer, layer.training) for layer in network.modules()]
    network.eval()
    try:
        yield network
    finally:
        for layer, mode in modes:
            layer.training = mode
