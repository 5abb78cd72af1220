"""The check of adversarial losses."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.testing.base import N, check_any, check_device
from lightning_gan.testing.expectations import close, expect, expect_tensor, own_randomness
from lightning_gan.types import Player


def check_loss(loss: AdversarialLoss) -> None:
    """Check an adversarial loss.

    Raises:
        ConformanceError: The loss breaks its contract.
    """
    with own_randomness():
        check_any(loss, AdversarialLoss)
        for shape in ((N,), (N, 1), (N, 1, 4, 4)):
            for scale in (1.0, 50.0):
                _check_loss_values(loss, shape, scale)
        _check_loss_directions(loss)
        for player in Player:
            logits = torch.zeros(N, device="meta")
            check_device(loss, lambda loss: _half(loss, player, logits, logits))  # noqa: B023
        if not loss.couples_samples:
            _check_loss_separates(loss)


def _check_loss_values(loss: AdversarialLoss, shape: tuple[int, ...], scale: float) -> None:
    """Check shape, dtype and finiteness of both halves and of their gradients."""
    for sign in (1.0, -1.0):
        real = (sign * scale * torch.rand(shape)).requires_grad_()
        fake = (-sign * scale * torch.rand(shape)).requires_grad_()
        for player in Player:
            value = _half(loss, player, real, fake)
            what = f"the {player.value}'s half"
            expect_tensor(loss, value, (N, ...), torch.float32, what)
            gradients = torch.autograd.grad(value.sum(), (real, fake), allow_unused=True)
            expect(
                all(g is None or bool(g.isfinite().all()) for g in gradients),
                loss,
                f"{what} must have finite gradients for logits up to {scale:g}",
            )


def _check_loss_directions(loss: AdversarialLoss) -> None:
    """Check whom a change of the logits pleases, where the players have not yet got their way."""
    low = (torch.rand(16) - 2).requires_grad_()
    high = (torch.rand(16) + 1).requires_grad_()
    real, fake = torch.autograd.grad(loss.discriminator(low, high).sum(), (low, high))
    expect(real.sum() < 0, loss, "the discriminator's half must fall when logits of reals rise")
    expect(fake.sum() > 0, loss, "the discriminator's half must fall when logits of fakes fall")
    value = _half(loss, Player.GENERATOR, high, low).sum()
    (fake,) = torch.autograd.grad(value, low)
    expect(fake.sum() < 0, loss, "the generator's half must fall when logits of fakes rise")
    if loss.needs_real_logits_for_generator:
        other = _half(loss, Player.GENERATOR, high + torch.rand(16), low).sum()
        expect(
            not torch.equal(value, other),
            loss,
            "declares needs_real_logits_for_generator, but the generator's half ignores them",
        )


def _check_loss_separates(loss: AdversarialLoss) -> None:
    real, fake = torch.randn(N), torch.randn(N)
    for player in Player:
        together = _half(loss, player, real, fake)
        alone = torch.cat([_half(loss, player, real[i, None], fake[i, None]) for i in range(N)])
        expect(
            close(together, alone),
            loss,
            f"must declare couples_samples: the {player.value}'s half depends on the batch",
        )


def _half(loss: AdversarialLoss, player: Player, real: Tensor, fake: Tensor) -> Tensor:
    if player is Player.DISCRIMINATOR:
        return loss.discriminator(real, fake)
    return loss.generator(fake, real if loss.needs_real_logits_for_generator else None)
