"""What processes that train together exchange; each does nothing where there is one alone."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed
from torch import Tensor


@torch.no_grad()
def average(tensors: list[Tensor]) -> None:
    """Average tensors over all ranks in place, in one all-reduce for each dtype and device."""
    world = world_size()
    for group in _grouped(tensors) if world > 1 else []:
        flat = torch.cat([tensor.reshape(-1) for tensor in group])
        torch.distributed.all_reduce(flat)
        flat /= world
        _copy_back(flat, group)


@torch.no_grad()
def broadcast(tensors: list[Tensor]) -> None:
    """Give all ranks the tensors of rank 0, in place."""
    for group in _grouped(tensors) if world_size() > 1 else []:
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in group])
        torch.distributed.broadcast(flat, 0)
        _copy_back(flat, group)


def gather_objects(value: Any) -> list[Any]:
    """Return the value of every rank, in the order of ranks."""
    gathered: list[Any] = [value] * world_size()
    if len(gathered) > 1:
        torch.distributed.all_gather_object(gathered, value)
    return gathered


def world_size() -> int:
    """Return how many processes train together."""
    return torch.distributed.get_world_size() if _is_initialized() else 1


def rank() -> int:
    """Return the number of this process among them, from 0."""
    return torch.distributed.get_rank() if _is_initialized() else 0


def _is_initialized() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _grouped(tensors: list[Tensor]) -> list[list[Tensor]]:
    groups: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault((tensor.dtype, tensor.device), []).append(tensor)
    return list(groups.values())


def _copy_back(flat: Tensor, tensors: list[Tensor]) -> None:
    pieces = torch.split(flat, [tensor.numel() for tensor in tensors])
    for tensor, piece in zip(tensors, pieces, strict=True):
        tensor.copy_(piece.view_as(tensor))
