"""What networks owe in training: gradients of inputs and parameters, torch's randomness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lightning_gan.testing.computing import check_randomness, is_nonzero
from lightning_gan.testing.expectations import expect, told
from lightning_gan.testing.inputs import Network
from lightning_gan.testing.network import jittered, run_network
from lightning_gan.types import DiscriminatorOutput, map_tensors

ATTEMPTS = 8  # passes in training mode, for parameters that are used at random


def check_gradients(
    network: Network, x: Tensor, y: Any, reach: Callable[[Any], Any] | None = None
) -> None:
    """Check that gradients reach the inputs and every trainable parameter.

    Args:
        network: The network.
        x: Latents or samples.
        y: Their condition.
        reach: Returns what terms compute by its methods, for parameters that its forward pass does
            not use.
    """
    network = jittered(network).float().train()
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    unused = set(trained)
    for attempt in range(ATTEMPTS):
        x = x.detach().clone().requires_grad_()
        output = run_network(network, x, y)
        if attempt == 0:
            _check_input_gradient(network, x, [h for h in _heads(output) if h.requires_grad])
        unused = _not_reached(unused, trained, output)
        if not unused:
            break
    if unused and reach is not None:
        with told(network, "must take what `reach` does with it"):
            unused = _not_reached(unused, trained, reach(network))
    expect(
        not unused,
        network,
        f"must use every trainable parameter, but {', '.join(n for n in trained if n in unused)} "
        "gets no gradient from any tensor of its output: freeze it with requires_grad_(False), or, "
        "where terms reach it by a method, show how, reach=lambda network: network.method(...)",
    )


def check_training(network: Network, x: Tensor, y: Any) -> None:
    """Check where the network takes its randomness from while it is trained."""
    network = jittered(network).float().train()
    check_randomness(network, lambda: run_network(network, x, y))


def _check_input_gradient(network: Network, x: Tensor, heads: list[Tensor]) -> None:
    gradient = None
    if heads:
        total = torch.stack([head.square().sum() for head in heads]).sum()
        (gradient,) = torch.autograd.grad(total, x, retain_graph=True, allow_unused=True)
    expect(
        x.numel() == 0 or (gradient is not None and is_nonzero(gradient)),
        network,
        "must pass gradients to its input, but passes none: detach nothing on the way",
    )


def _not_reached(names: set[str], trained: dict[str, Any], tree: Any) -> set[str]:
    """Return those of the parameters that no tensor of a tree has a gradient for."""
    found: list[Tensor] = []
    map_tensors(lambda t: found.append(t) if t.requires_grad else None, tree)
    if not names or not found:
        return names
    ordered = sorted(names)
    total = torch.stack([tensor.abs().double().square().sum() for tensor in found]).sum()
    gradients = torch.autograd.grad(total, [trained[n] for n in ordered], allow_unused=True)
    return {name for name, g in zip(ordered, gradients, strict=True) if g is None}


def _heads(output: Any) -> list[Tensor]:
    return list(output.heads) if isinstance(output, DiscriminatorOutput) else [output.samples]
