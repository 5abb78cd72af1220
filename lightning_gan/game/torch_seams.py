"""Private names of torch that the game needs, each with what would take its place.

``tests/game/test_torch_seams.py`` says when one may go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


def buffers_of(layer: nn.Module) -> dict[str, Tensor | None]:
    """Return a layer's own buffers, the dict that it keeps, those that are None among them.

    ``named_buffers`` passes over None, and makes a new list at every call.
    """
    return layer._buffers


def version(tensor: Tensor) -> int:
    """Return how often a tensor was changed in place; -1 where torch does not count."""
    return -1 if tensor.is_inference() else tensor._version


def copy_all(targets: list[Tensor], sources: list[Tensor]) -> None:
    """Copy tensors in one kernel for all of them; torch has no public one."""
    torch._foreach_copy_(targets, sources)


def note_non_finite(tensors: list[Tensor], found: Tensor) -> None:
    """Set ``found`` to 1.0 where any element is NaN or infinite, in one pass and without a wait.

    What torch's gradient scaler does, with the scale 1.
    """
    one = torch.ones((), dtype=torch.float32, device=found.device)
    torch._amp_foreach_non_finite_check_and_unscale_(tensors, found, one)


def is_compiled(network: nn.Module) -> bool:
    """Whether ``network.compile()`` was called."""
    return network._compiled_call_impl is not None


def has_step_hooks(optimizer: Optimizer) -> bool:
    """Whether somebody registered hooks around an optimizer's steps."""
    return bool(optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks)


def with_versions_of(state: Any, original: Mapping[str, Any]) -> Any:
    """Give a state_dict the versions of layers that another has, by which torch converts it."""
    state._metadata = getattr(original, "_metadata", None)
    return state
