"""The check of balances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_gan.balances.base import ADVERSARIAL, Balance
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.step import AdversarialStep
from lightning_gan.testing.base import check_any, check_rebuilding
from lightning_gan.testing.expectations import close, conformance, expect, told
from lightning_gan.testing.feedback import check_observing
from lightning_gan.testing.inputs import N
from lightning_gan.testing.scene import Scene, make_scene
from lightning_gan.testing.terms import ON_A_BATCH
from lightning_gan.types import Player, describe

SCALES = (1.0, 0.0, 1e30, float("nan"), float("inf"), 1.0)  # of a term


@conformance
def check_balance(
    balance: Balance,
    *,
    terms: Sequence[str] = ("reconstruction", "penalty"),
    networks: tuple[Generator, Discriminator] | None = None,
    y: Any = None,
    reports: Mapping[str, float] | None = None,
    portable: bool = True,
) -> None:
    """Check a balance on terms of ordinary size, and on those that are 0, NaN or infinite.

    Args:
        balance: The balance.
        terms: Names of the terms beside the adversarial one.
        networks: Generator and discriminator in place of tiny ones, of which the generator has the
            linear layers ``map`` and ``draw``.
        y: Condition of 4 samples, where it is no class.
        reports: Numbers that parts report, by ``part/name``, for a balance that observes them.
        portable: Whether its arguments can be saved; False: they are passed again to
            ``load_from_checkpoint``.

    Raises:
        ConformanceError: The balance breaks its contract.
    """
    scene = make_scene(balance, networks=networks, y=y)
    own = check_any(balance, Balance, scene.networks, portable=portable)
    buffers = dict(own.named_buffers())
    everything = (ADVERSARIAL, *terms)
    for player in ON_A_BATCH:
        for names in (everything, everything, (ADVERSARIAL,), tuple(terms)):
            for scale in SCALES:
                _check_factors(own, scene, player, names, scale)
        expect(
            all(bool(buffer.isfinite().all()) for buffer in own.buffers()),
            own,
            "must keep its state finite, whatever the terms are, but keeps NaN or infinity: leave "
            "it as it was where a number is not finite",
        )
    expect(
        all(buffer is buffers.get(name) for name, buffer in own.named_buffers()),
        own,
        "must change its buffers in place, but puts others in their place: use copy_ and the like",
    )
    check_observing(own, reports)
    twin = check_rebuilding(own, scene.networks, portable=portable)
    for player in ON_A_BATCH:
        with scene.update(player, own, "balance") as step:
            found = _named(step, everything, 1.0)
            pair = [_factors(each, player, found, step) for each in (own, twin)]
        expect(
            pair[0].keys() == pair[1].keys()
            and all(close(factor, pair[1][name]) for name, factor in pair[0].items()),
            own,
            "must go on after a resume as it would have, but one rebuilt from spec and state_dict "
            "has other factors: keep what it remembers in buffers or in get_extra_state",
        )


def _check_factors(
    balance: Balance, scene: Scene, player: Player, names: Sequence[str], scale: float
) -> None:
    """Check the factors of terms of which the first has a scale."""
    network = scene.network(player)
    with scene.update(player, balance, "balance") as step:
        terms = _named(step, names, scale)
        factors = _factors(balance, player, terms, step)
        for name, factor in factors.items():
            expect(
                factor.dim() == 0 and not factor.requires_grad and bool(factor.isfinite()),
                balance,
                f"the factor of {name!r} must be finite, a scalar without graph, got "
                f"{_shown(factor)}: guard divisions by 0, and detach",
            )
        total = torch.stack([term * factors.get(name, 1.0) for name, term in terms.items()]).sum()
        with told(balance, "weights must retain the graph of the terms", "pass retain_graph=True"):
            torch.autograd.grad(total, next(network.parameters()), allow_unused=True)
    expect(
        all(p.grad is None for p in network.parameters()),
        balance,
        "weights must leave the gradients of the networks alone, but they have some after it: use "
        "torch.autograd.grad in place of backward",
    )


def _factors(
    balance: Balance, player: Player, terms: Mapping[str, Tensor], step: AdversarialStep
) -> dict[str, Tensor]:
    names = ", ".join(terms)
    with told(balance, f"weights failed on the {player.value}'s terms {names}"):
        factors = balance.weights(player, terms, step)
    expect(
        isinstance(factors, Mapping) and factors.keys() <= terms.keys(),
        balance,
        f"weights must return factors of the terms {names}, by name, got {describe(factors)}",
    )
    with told(balance, f"weights must return tensors or numbers, got {describe(factors)}"):
        return {name: torch.as_tensor(factor) for name, factor in factors.items()}


def _shown(factor: Tensor) -> str:
    alone = factor.dim() == 0 and not factor.requires_grad
    return (
        str(factor.item()) if alone else f"{describe(factor)}{' in a graph' * factor.requires_grad}"
    )


def _named(step: AdversarialStep, names: Sequence[str], scale: float) -> dict[str, Tensor]:
    """Return terms of an update by name, the first of them times a scale."""
    found = dict(zip(names, _terms(step, len(names)), strict=True))
    return {name: term * (scale if name == names[0] else 1.0) for name, term in found.items()}


def _terms(step: AdversarialStep, number: int) -> list[Tensor]:
    """Return as many terms of an update, each another function of what it trains."""
    if step.player is Player.DISCRIMINATOR:
        gap = step.fake_output.total() - step.real_output.total()
        return [(gap / N - index).square() for index in range(number)]
    others = [(step.fake - step.real * index).square().mean() for index in range(number - 1)]
    return [-step.fake_output.total() / N, *others]
