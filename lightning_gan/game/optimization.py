"""Optimizers and learning-rate schedulers of the two players, and clipping of their gradients."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_value_, clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lightning_gan.errors import InputError
from lightning_gan.types import Player

OptimizerCallable = Callable[[Iterable[Any]], Optimizer]
LRSchedulerCallable = Callable[[Optimizer], LRScheduler]

# Radford et al. 2016, section 4.
default_optimizer = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999))


def make_optimizer(
    player: Player,
    network: nn.Module,
    make: OptimizerCallable | None,
    make_lr_scheduler: LRSchedulerCallable | None,
) -> dict[str, Any]:
    """Build one player's optimizer and scheduler, in the form Lightning expects.

    Raises:
        InputError: The network has nothing to train, optimizer or scheduler refuse their
            arguments, or the scheduler waits for a metric.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not parameters:
        raise InputError(f"the {player.value} has no parameter that requires a gradient")
    try:
        optimizer = (make or default_optimizer)(parameters)
    except (TypeError, ValueError) as error:
        raise InputError(f"{player.value}_optimizer: {error}") from error
    _prefer_fused(optimizer)
    optimizer.register_load_state_dict_post_hook(_follow_strides)
    if make_lr_scheduler is None:
        return {"optimizer": optimizer}
    try:
        scheduler = make_lr_scheduler(optimizer)
    except (TypeError, ValueError) as error:
        raise InputError(f"{player.value}_lr_scheduler: {error}") from error
    if isinstance(scheduler, ReduceLROnPlateau):
        raise InputError(
            f"{player.value}_lr_scheduler is ReduceLROnPlateau, which waits for a metric; use a "
            "scheduler that counts steps, such as torch.optim.lr_scheduler.CosineAnnealingLR"
        )
    return {"optimizer": optimizer, "lr_scheduler": scheduler}


def clip(
    parameters: list[nn.Parameter],
    norm: Tensor | None,
    max_norm: float | None,
    max_value: float | None,
) -> None:
    """Clip gradients in place; None = do not clip.

    Args:
        parameters: All of one optimizer that have a gradient.
        norm: Total Euclidean norm of the gradients, where ``max_norm`` is given.
        max_norm: Its largest value.
        max_value: Largest absolute value of an entry.
    """
    if max_value is not None:
        clip_grad_value_(parameters, max_value)
    if max_norm is not None and norm is not None:
        clip_grads_with_norm_(parameters, max_norm, norm)


def gradient_norm(parameters: list[nn.Parameter]) -> Tensor:
    """Return the total Euclidean norm of the gradients, a scalar on their device."""
    return get_total_norm([dense(p.grad) for p in parameters if p.grad is not None])


def dense(tensor: Tensor) -> Tensor:
    """Return the elements that a sparse tensor stores, and any other tensor as it is.

    Older releases of torch take no norm of sparse tensors.
    """
    return tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor


def _prefer_fused(optimizer: Optimizer) -> None:
    """Use torch's fused kernel where the optimizer has one, the types allow and nobody chose."""
    if not isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)):
        return
    for group in optimizer.param_groups:
        undecided = "fused" in group and group["fused"] is None and group.get("foreach") is None
        plain = all(p.is_floating_point() for p in group["params"]) and not (
            group.get("capturable") or group.get("differentiable")
        )
        if undecided and plain:
            group["fused"] = True


def _follow_strides(optimizer: Optimizer) -> None:
    """Give loaded states the strides of their parameters (contiguous or channels_last).

    The fused kernels read weights and moments as flat memory, and a file may come from a network of
    another memory format.
    """
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def spare_gpu_queries() -> None:
    """Where there is no GPU, keep torch's Adam from loading its driver at every step.

    Adam asks whether a GPU captures a graph, and the variable that Lightning sets on import makes
    every such question load and open NVML: on a machine without it, the larger part of the step of
    a small network.
    """
    if not torch.cuda.is_available():
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"
