"""The slope of a discriminator without a second derivative: from two values close to each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lightning_gan.step import AdversarialStep
from lightning_gan.types import DiscriminatorOutput, widened


def half_squared_slopes(
    step: AdversarialStep,
    x: Tensor,
    y: Any,
    sigma: float,
    known: Callable[[], DiscriminatorOutput],
) -> Tensor:
    r"""Return :math:`\frac{1}{2} ((D(x + \sigma\epsilon) - D(x)) / \sigma)^2` of each sample.

    Both values are of one D: what draws random numbers (dropout, the augmentation) draws the same
    ones for both. Where nothing draws, D(x) is that of the loss.

    Args:
        step: The update.
        x: Samples, shape (N, ...).
        y: Their condition.
        sigma: Standard deviation of the perturbation.
        known: Returns what D says of ``x``, computed for the loss.

    Returns:
        Shape (N,). Differences of trailing shape and of several heads are summed for each sample.
    """
    x = widened(x.detach())
    moved = x + sigma * torch.randn_like(x)
    before = _random_states(x.device)
    there = step.discriminate(moved, y)
    if _equal(before, _random_states(x.device)):
        here = known()
    else:
        _restore(before, x.device)
        here = step.discriminate(x, y)
    rises = [
        (a - b).reshape(len(x), -1).sum(1) for a, b in zip(there.heads, here.heads, strict=True)
    ]
    return 0.5 * (torch.stack(rises).sum(0) / sigma).square()


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
