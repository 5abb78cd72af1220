"""An Adversary in mixed precision: autocast around it, and a gradient scaler."""

from __future__ import annotations

from functools import partial

import by_hand
import pytest
import torch
from adversaries import adversary, pair, same, sgd, state

from lightning_gan import Engine
from lightning_gan.regularizers.r1 import R1Regularizer


class Cast(by_hand.Discriminator):
    """Notes whether it runs under autocast."""

    def __init__(self):
        super().__init__()
        self.cast = []

    def forward(self, x, y=None):
        self.cast.append(torch.is_autocast_enabled("cpu"))
        return super().forward(x, y)


def single(network):
    torch.manual_seed(0)
    return network().float()


def test_a_penalty_runs_in_full_precision_under_autocast():
    real, fake = pair()
    real, fake = real.float(), fake.detach().float().requires_grad_()
    penalized = {"r1": R1Regularizer(1.0, interval=2)}
    net = single(Cast)
    trained = adversary(net, regularizers=penalized)
    with torch.autocast("cpu", torch.bfloat16):
        for _ in range(2):
            trained.step(real, fake.bfloat16())
            trained.generator_loss(fake.bfloat16(), real).backward()
    assert net.cast == [False, False, True, True, True, True]
    assert fake.grad.dtype == torch.float32
    assert all(p.dtype == torch.float32 for p in net.parameters())


def test_one_autocast_around_two_steps_uses_the_weights_of_each():
    real, fake = pair()
    real, fake = real.float(), fake.detach().float()
    together, apart = adversary(single(Cast)), adversary(single(Cast))
    with torch.autocast("cpu", torch.bfloat16):
        for _ in range(3):
            together.step(real, fake)
    for _ in range(3):
        with torch.autocast("cpu", torch.bfloat16):
            apart.step(real, fake)
    assert same(state(together), state(apart))


class Scaled(Engine):
    """The engine of the documentation, for float16."""

    def __init__(self, scaler):
        self.scaler = scaler

    def backward(self, objective, gradient):
        self.scaler.scale(objective).backward(gradient)

    def before_step(self, optimizer):
        self.scaler.unscale_(optimizer)

    def step(self, optimizer):
        self.scaler.step(optimizer)
        self.scaler.update()


@pytest.mark.parametrize("optimizer", [sgd, partial(torch.optim.Adam, fused=True)])
def test_a_gradient_scaler_changes_nothing_but_skips(optimizer):
    real, fake = pair()
    real, fake = real.float(), fake.detach().float()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8, growth_interval=1000)
    options = {"discriminator_optimizer": optimizer, "discriminator_clip_norm": 0.05}
    scaled = adversary(single(Cast), engine=Scaled(scaler), **options)
    plain = adversary(single(Cast), **options)
    for _ in range(2):
        scaled.step(real, fake)
        plain.step(real, fake)
    for ours, theirs in zip(scaled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    before = state(scaled)
    scaled.step(real, fake * torch.inf)
    assert same(before, state(scaled))
    assert scaled.skipped == 1
    assert scaler.get_scale() == 2.0**7
    scaled.step(real, fake)
    assert not same(before, state(scaled))
