"""The check of averages."""

from __future__ import annotations

import copy

import torch
from torch import nn

from lightning_gan.averages.base import Average
from lightning_gan.testing.base import check_any, check_rebuilding, same_state
from lightning_gan.testing.expectations import close, conformance, expect, told
from lightning_gan.testing.inputs import N


@conformance
def check_average(average: Average, *, portable: bool = True) -> None:
    """Check an average over 20 batches of a tiny network with batch norm.

    Args:
        average: The average.
        portable: Whether its arguments can be saved; False: they are passed again to
            ``load_from_checkpoint``.

    Raises:
        ConformanceError: The average breaks its contract.
    """
    own = check_any(average, Average, portable=portable)
    expect(
        isinstance(own.reestimates, bool),
        own,
        f"must have a bool reestimates, got {own.reestimates!r}",
    )
    source = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    averaged = copy.deepcopy(source).requires_grad_(False).eval()
    tensors = _tensors(averaged)
    _update(own, averaged, source, N)
    pairs = zip(averaged.parameters(), source.parameters(), strict=True)
    expect(
        all(close(*pair) for pair in pairs),
        own,
        "must leave an averaged network alone that is equal to the trained one, but changes it: "
        "let the two weights sum to 1",
    )
    for batch in range(2, 20):
        _train(source)
        before = copy.deepcopy(source)
        _update(own, averaged, source, batch * N)
        expect(
            same_state(source, before),
            own,
            "update must not change the trained network, but does: change `averaged` alone",
        )
    expect(
        all(tensor is tensors.get(name) for name, tensor in _tensors(averaged).items()),
        own,
        "update must change parameters and buffers in place, but puts others in their place: use "
        "copy_, lerp_ and the like",
    )
    expect(
        all(bool(tensor.isfinite().all()) for tensor in _tensors(averaged).values()),
        own,
        "update must leave the averaged network finite, but leaves NaN or infinity in it: guard "
        "divisions by the images seen",
    )
    expect(
        not any(p.requires_grad or p.grad is not None for p in averaged.parameters()),
        own,
        "update must work without gradient, but leaves one: decorate it with torch.no_grad()",
    )
    twin = check_rebuilding(own, portable=portable)
    resumed = copy.deepcopy(averaged)
    _update(own, averaged, source, 20 * N)
    _update(twin, resumed, source, 20 * N)
    expect(
        same_state(averaged, resumed),
        own,
        "must go on after a resume as it would have, but one rebuilt from spec and state_dict "
        "averages otherwise: keep what it counts in buffers or in get_extra_state",
    )


def _update(average: Average, averaged: nn.Module, source: nn.Module, images: int) -> None:
    with told(average, f"update failed after {images} images"):
        average.update(averaged, source, images, N)


def _tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def _train(network: nn.Module) -> None:
    """Move parameters, and statistics by a pass in training mode."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        network(torch.randn(N, 3))
