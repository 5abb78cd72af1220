"""What a loop of one's own may rely on in an Adversary."""

from __future__ import annotations

import copy

import by_hand
import pytest
import torch
from adversaries import Told, adversary, normed, pair, same, sgd, state
from torch import nn

from lightning_gan import Adversary, Player, Regularizer
from lightning_gan.balances.gradient_balance import GradientBalance
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.schedules.burn_in import BurnIn

# The discriminator's update -----------------------------------------------------------------------


def test_networks_of_plain_layers_will_do():
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 1)).double()
    trained, before = adversary(net), state(net)
    real, fake = pair()
    trained.step(real, fake)
    trained.generator_loss(fake, real).backward()
    assert not same(before, state(net))


def test_graphs_of_the_loop_are_left_alone():
    """Neither an encoder of the condition nor the generator gets gradients from step."""
    encoder, seen = nn.Linear(2, 48).double(), []

    class Conditional(by_hand.Discriminator):
        def forward(self, x, y=None):
            seen.append(y)
            return super().forward(x + y.view_as(x))

    trained = adversary(Conditional().double())
    real, fake = pair()
    y = encoder(torch.ones(6, 2).double())
    target = nn.Parameter(real.clone())
    trained.step(target, fake, y)
    assert encoder.weight.grad is None
    assert target.grad is None
    trained.generator_loss(fake, target, y).backward()  # the graphs are still there
    assert encoder.weight.grad.abs().sum() > 0
    assert [each.requires_grad for each in seen] == [False, False, True]


def test_batches_add_up_to_one_update():
    """Two batches of 2 and 4, accumulated, are one batch of 6."""
    real, fake = pair()
    results = []
    for sizes in ([6], [2, 4], [1, 2, 3]):
        told = Told()
        options = {"discriminator_clip_norm": 0.05, "discriminator_optimizer": sgd}
        trained = adversary(regularizers={"r1": R1Regularizer(2.0), "told": told}, **options)
        *others, last = zip(real.split(sizes), fake.split(sizes), strict=True)
        for _ in range(2):
            for piece in others:
                assert trained.step(*piece, accumulate=True).phases == ()
            readings = trained.step(*last)
            for piece in others:  # all of them meet the discriminator after its update
                trained.generator_loss(*piece[::-1], accumulate=True)
            trained.generator_loss(*last[::-1])
            assert readings.phases == (Player.DISCRIMINATOR,)
        progress = trained.progress
        assert (progress.images, progress.batches) == (12, 2)
        assert (progress.discriminator_steps, progress.generator_steps) == (2, 2)
        assert len(told.seen) == 2
        assert told.after == [Player.DISCRIMINATOR] * 2
        found = [readings.discriminator.loss, readings.discriminator.gradient_norm]
        found += [readings.discriminator.terms["r1"], readings.generator.loss]
        found += [told.seen[1].discriminator_loss.double(), *trained.discriminator.parameters()]
        results.append(torch.cat([each.detach().flatten() for each in found]))
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-6, atol=1e-12)


def test_a_lazy_term_is_due_in_all_batches_of_an_update():
    told = Told()
    told.interval = 2
    trained = adversary(regularizers={"told": told})
    real, fake = pair()
    for update in range(3):
        for last in (False, True):
            trained.step(real, fake, accumulate=not last)
            trained.generator_loss(fake, real, accumulate=not last)
        assert len(told.calls) == 4 * (1 + update // 2)


def test_a_balance_is_asked_once_for_an_update():
    balance = GradientBalance({"adversarial": 1.0}, beta=0.5)
    trained = adversary(balance=balance)
    real, fake = pair()
    for piece in (slice(0, 3), slice(3, 6)):
        trained.generator_loss(fake[piece], real[piece], accumulate=piece.stop < 6)
    assert balance.counts.item() == 0.5
    trained.generator_loss(fake, real)
    assert balance.counts.item() == 0.75


def test_observers_are_told_of_both_players():
    told = Told()
    trained = adversary(regularizers={"told": told})
    real, fake = pair()
    trained.step(real, fake)
    loss = trained.generator_loss(fake, real)
    readings = trained.step(real, fake)
    first, second = told.seen
    assert first.generator_loss is None
    assert second.generator_loss == pytest.approx(readings.generator.loss.item())
    whole = readings.generator.loss + readings.generator.terms["told/generator"]
    assert whole == pytest.approx(loss.item())
    assert second.real_logits is not None


def test_weights_of_zero_cost_no_pass():
    calls = []

    class Counting(by_hand.Discriminator):
        def forward(self, x, y=None):
            calls.append(len(x))
            return super().forward(x, y)

    schedules = {name: BurnIn(0.0, 1.0, kimg=0.006) for name in ("generator_weight",)}
    trained = adversary(Counting().double(), discriminator_weight=0.0, schedules=schedules)
    real, fake = pair()
    before = state(trained.discriminator)
    assert trained.generator_loss(fake, real) == 0
    readings = trained.step(real, fake)
    assert (readings.phases, readings.discriminator, calls) == ((), None, [])
    assert same(before, state(trained.discriminator))
    assert trained.generator_loss(fake, real) > 0  # after six images
    assert calls == [6]


# The generator's terms ----------------------------------------------------------------------------


def test_the_generator_may_go_first():
    real, fake = pair()
    told = Told()
    trained = adversary(regularizers={"told": told})
    for _ in range(2):
        trained.generator_loss(fake, real).backward(retain_graph=True)
        assert trained.step(real, fake).generator.loss.isfinite()
    assert [each.generator_loss is not None for each in told.seen] == [True, True]


def test_measuring_leaves_no_trace():
    trained = adversary(normed(), regularizers={"told": Told()})
    real, fake = pair()
    trained.step(real, fake)
    before, counts = state(trained), trained.progress
    with torch.no_grad():
        measured = trained.generator_loss(fake, real)
    assert same(before, state(trained))
    assert trained.progress == counts
    assert trained.generator_loss(fake, real).item() == measured.item()
    assert not same(before, state(trained))  # statistics
    assert trained.progress.generator_steps == 1


def test_what_is_frozen_later_stays_frozen():
    trained = adversary()
    trunk = trained.discriminator.trunk.requires_grad_(False)
    real, fake = pair()
    before = state(trunk)
    trained.step(real, fake)
    trained.generator_loss(fake, real)
    assert not any(p.requires_grad for p in trunk.parameters())
    assert same(before, state(trunk))


class Owned(Regularizer):
    """A term with weights, of one player or the other."""

    def __init__(self, player):
        super().__init__()
        self.trained_by = player
        self.project = nn.Linear(48, 1).double()

    def _term(self, step):
        return self.project(step.fake.flatten(1)).square()

    discriminator = generator = _term


@pytest.mark.parametrize("player", Player)
def test_parts_are_trained_by_their_player(player):
    part = Owned(player)
    trained = adversary(regularizers={"own": part})
    ours = {id(p) for p in part.parameters()}
    optimized = {id(p) for group in trained.optimizer.param_groups for p in group["params"]}
    theirs = {id(p) for p in trained.generator_parameters()}
    of_discriminator = player is Player.DISCRIMINATOR
    assert (ours & optimized, ours & theirs) == (
        (ours, set()) if of_discriminator else (set(), ours)
    )
    real, fake = pair()
    before = state(part)
    trained.step(real, fake)
    assert same(before, state(part)) == (not of_discriminator)
    assert part.project.weight.grad is None
    trained.generator_loss(fake, real).backward()
    assert (part.project.weight.grad is None) == of_discriminator


class Failing(by_hand.Discriminator):
    fails = False

    def forward(self, x, y=None):
        if self.fails and len(x) == 6:
            raise MemoryError
        return super().forward(x, y)


def test_a_batch_that_fails_leaves_nothing_behind():
    """As a loop does that goes on with the next batch when memory ends."""
    torch.manual_seed(0)
    net = Failing().double()
    trained, other = adversary(net), adversary(copy.deepcopy(net))
    real, fake = pair()
    trained.step(real[:2], fake[:2])
    other.step(real[:2], fake[:2])
    net.fails = True
    for call in (trained.step, lambda real, fake: trained.generator_loss(fake, real)):
        with pytest.raises(MemoryError):
            call(real, fake)
    trained.step(real[2:], fake[2:])
    other.step(real[2:], fake[2:])
    assert same(state(trained), state(other))
    assert trained.progress == other.progress


class Diverse(Regularizer):
    """Fakes of latents far from each other are far from each other (Mao et al. 2019)."""

    def generator(self, step):
        near = (step.z[1:] - step.z[:-1]).abs().mean()
        return near / (step.fake[1:] - step.fake[:-1]).abs().mean()


def test_terms_may_ask_for_latents():
    generator, discriminator = by_hand.networks()
    adversary = Adversary(discriminator, NonSaturatingLoss(), {"diverse": Diverse()})
    real, z = by_hand.batches(1)[0]
    fake = generator(z)
    adversary.step(real, fake, z=z)
    found = adversary.generator_loss(fake, real, z=z)
    distance = (z[1:] - z[:-1]).abs().mean() / (fake[1:] - fake[:-1]).abs().mean()
    plain = Adversary(discriminator, NonSaturatingLoss()).generator_loss(fake, real)
    assert torch.allclose(found, plain + distance)
