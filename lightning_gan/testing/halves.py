"""The check of a loss's two halves, as functions of logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.testing.computing import check_device
from lightning_gan.testing.expectations import close, expect, expect_tensor, told
from lightning_gan.testing.inputs import N
from lightning_gan.types import Player, describe

# Shapes of a sample's logits: where high means real, and where they are features.
LOGITS: tuple[tuple[int, ...], ...] = ((), (1,), (1, 4, 4))
FEATURES: tuple[tuple[int, ...], ...] = ((8,), (1, 4, 4))
MANY = 16


def check_halves(loss: AdversarialLoss, trailing: Sequence[tuple[int, ...]]) -> None:
    """Check both halves: values, gradients, directions, and what the loss declares.

    Args:
        loss: A loss that does not override ``play``.
        trailing: Shapes of one sample's logits.
    """
    for shape in trailing:
        for scale in (1.0, 50.0):
            for sign in (scale, -scale):
                _check_values(loss, sign * torch.rand(N, *shape), -sign * torch.rand(N, *shape))
    low, high = torch.rand(MANY, *trailing[0]) - 2, torch.rand(MANY, *trailing[0]) + 1
    if loss.directed:
        _check_directions(loss, low, high)
    if loss.needs_real_logits_for_generator:
        _check_needs(loss, low, high)
    for player in Player:
        logits = torch.zeros(N, *trailing[0], device="meta")
        check_device(loss, lambda loss: _call(loss, player, logits, logits))  # noqa: B023
    if not loss.couples_samples:
        _check_separates(loss, trailing[0])


def _check_values(loss: AdversarialLoss, real: Tensor, fake: Tensor) -> None:
    """Check shape, dtype and finiteness of both halves and of their gradients."""
    real, fake = real.requires_grad_(), fake.requires_grad_()
    for player in Player:
        value = _half(loss, player, real, fake)
        what = f"the {player.value}'s half"
        shape: tuple[Any, ...] = (N, ...)
        if loss.couples_samples and isinstance(value, Tensor) and value.dim() == 0:
            shape = ()  # what couples samples may have nothing to say of each
        expect_tensor(loss, value, shape, torch.float32, what)
        if not value.requires_grad:
            continue  # play tells whether that matters
        gradients = torch.autograd.grad(value.sum(), (real, fake), allow_unused=True)
        expect(
            all(g is None or bool(g.isfinite().all()) for g in gradients),
            loss,
            f"{what} must have finite gradients for logits up to {real.abs().max():.0f}, got NaN "
            "or infinity: use logsigmoid, softplus and the like",
        )


def _check_directions(loss: AdversarialLoss, low: Tensor, high: Tensor) -> None:
    """Check whom a change of the logits pleases, where the players have not yet got their way."""
    mend = (
        "the other way round it trains for the opponent; high logits mean real (set directed to "
        "False where they have no direction, as features of a kernel have none)"
    )
    real, fake = _slopes(loss, Player.DISCRIMINATOR, low, high)
    what = "the discriminator's half must fall when logits of"
    expect(real < 0, loss, f"{what} reals rise, but its slope is {real:.3g}: {mend}")
    falls = fake > 0 or (fake == 0 and loss.observes)  # an observer may begin without fakes
    expect(falls, loss, f"{what} fakes fall, but its slope is {fake:.3g}: {mend}")
    _, fake = _slopes(loss, Player.GENERATOR, high, low)
    what = "the generator's half must fall when logits of fakes rise"
    expect(fake < 0, loss, f"{what}, but its slope is {fake:.3g}: {mend}")


def _slopes(
    loss: AdversarialLoss, player: Player, real: Tensor, fake: Tensor
) -> tuple[float, float]:
    """Return the sum of a half's gradient for logits of reals, and for those of fakes."""
    real, fake = real.clone().requires_grad_(), fake.clone().requires_grad_()
    value = _half(loss, player, real, fake).sum()
    gradients: tuple[Tensor | None, ...] = (None, None)
    if value.requires_grad:
        gradients = torch.autograd.grad(value, (real, fake), allow_unused=True)
    one, other = (0.0 if g is None else float(g.sum()) for g in gradients)
    return one, other


def _check_needs(loss: AdversarialLoss, low: Tensor, high: Tensor) -> None:
    halves = []
    for real in (high, high + torch.rand_like(high)):
        torch.default_generator.manual_seed(0)  # a half may be random
        halves.append(_half(loss, Player.GENERATOR, real, low))
    expect(
        not torch.equal(*halves),
        loss,
        "declares needs_real_logits_for_generator, but the generator's half ignores them: leave "
        "the declaration out, which costs a pass of the discriminator",
    )


def _check_separates(loss: AdversarialLoss, trailing: tuple[int, ...]) -> None:
    real, fake = torch.randn(N, *trailing), torch.randn(N, *trailing)
    for player in Player:
        together, again = (_half(loss, player, real, fake) for _ in range(2))
        if not close(together, again):
            continue  # random, so that nothing can be told from values
        alone = torch.cat([_half(loss, player, real[i, None], fake[i, None]) for i in range(N)])
        expect(
            close(together, alone),
            loss,
            f"must declare couples_samples: the {player.value}'s half depends on the batch; write "
            "couples_samples = True, or do without the other samples",
        )


def _half(loss: AdversarialLoss, player: Player, real: Tensor, fake: Tensor) -> Tensor:
    with told(loss, f"the {player.value}'s half failed on logits, {describe(fake)}"):
        return _call(loss, player, real, fake)


def _call(loss: AdversarialLoss, player: Player, real: Tensor, fake: Tensor) -> Tensor:
    if player is Player.DISCRIMINATOR:
        return loss.discriminator(real, fake)
    return loss.generator(fake, real if loss.needs_real_logits_for_generator else None)
