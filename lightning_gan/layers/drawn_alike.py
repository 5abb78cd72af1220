"""Two computations that draw the same random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

Said = TypeVar("Said")


def drawn_alike(
    function: Callable[[Tensor], Said],
    moved: Tensor,
    here: Tensor,
    known: Callable[[], Said] | None = None,
) -> tuple[Said, Said]:
    """Return what a function says of two inputs, so that they alone make the difference.

    What it draws (dropout, an augmentation, noise of a network) it draws alike for both. Steps that
    are captured as a CUDA graph cannot draw twice alike: there, nothing should draw.

    Args:
        function: The function.
        moved: The input that has been changed.
        here: The input as it was.
        known: Returns what the function said of ``here`` before, which counts where it draws
            nothing; None: it has said nothing yet.
    """
    if here.is_cuda and torch.cuda.is_current_stream_capturing():  # no state can be read there
        return function(moved), function(here) if known is None else known()
    before = _random_states(here.device)
    there = function(moved)
    if _equal(before, _random_states(here.device)):
        return there, function(here) if known is None else known()
    _restore(before, here.device)
    return there, function(here)


def _random_states(device: torch.device) -> list[Tensor]:
    """Return the states of the random generators that a computation may draw from."""
    states = [torch.get_rng_state()]
    if device.type not in ("cpu", "meta"):
        states.append(torch.get_device_module(device).get_rng_state(device))
    return states


def _restore(states: list[Tensor], device: torch.device) -> None:
    torch.set_rng_state(states[0])
    for state in states[1:]:
        torch.get_device_module(device).set_rng_state(state, device)


def _equal(states: list[Tensor], others: list[Tensor]) -> bool:
    return all(map(torch.equal, states, others))
