"""Balances against closed forms; finite whatever the terms are; state that goes on."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lightning_gan.balances.adaptive_weight import AdaptiveWeight
from lightning_gan.balances.base import Balance, named, safe_ratio
from lightning_gan.balances.gradient_balance import GradientBalance
from lightning_gan.balances.gradnorm import GradNorm
from lightning_gan.components.spec import build
from lightning_gan.errors import InputError
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player

BAD = (0.0, math.nan, math.inf)


class Scaling(nn.Module):
    """Samples that are its weights, so that gradients in both are the same."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(1, 4, bias=False)
        nn.init.ones_(self.out.weight)

    def forward(self, z, y=None):
        return self.out(z)


def update(player=Player.GENERATOR):
    generator = Scaling()
    fake = generator(torch.ones(1, 1))
    discriminator = nn.Linear(4, 1)
    return AdversarialStep(
        player,
        real=torch.zeros(1, 4),
        fake=fake,
        generator=generator,
        discriminator=discriminator,
    )


def terms(step, **factors):
    """Terms c * sum(fake): of gradient (c, c, c, c) in samples and weights, of norm 2 |c|."""
    return {name: factor * step.fake.sum() for name, factor in factors.items()}


def ask(balance, **factors):
    step = update()
    found = balance.weights(Player.GENERATOR, terms(step, **factors), step)
    return {name: float(factor) for name, factor in found.items()}


BALANCES = [
    lambda: AdaptiveWeight("out"),
    lambda: GradientBalance({"adversarial": 1.0, "l1": 2.0}),
    lambda: GradNorm(["adversarial", "l1"]),
    lambda: GradNorm(["adversarial", "l1"], layer="out.weight"),
]


@pytest.mark.parametrize("numerator", [*BAD, 3.0, 1e38])
@pytest.mark.parametrize("denominator", [*BAD, 2.0, 1e-38])
def test_a_safe_ratio_is_finite(numerator, denominator):
    found = safe_ratio(torch.tensor(numerator), torch.tensor(denominator), 10.0).item()
    if denominator in BAD or not math.isfinite(numerator):
        assert found == 1.0
    else:
        assert found == min(numerator / denominator, 10.0)


def test_the_base_class_leaves_all_terms_alone():
    assert ask(Balance(), adversarial=1.0, l1=2.0) == {}


def test_parts_of_a_term_go_by_its_name():
    found = named(dict.fromkeys(["vq/generator", "vq/generator/code", "vqx", "l1"], 1), ["vq"])
    assert list(found) == ["vq/generator", "vq/generator/code"]


def test_all_ranks_agree(monkeypatch):
    def add_another_rank(values):
        values += torch.tensor([8.0, 2.0])

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", add_another_rank)
    found = ask(AdaptiveWeight("out", delta=0.0), adversarial=3.0, l1=1.0)
    assert found == {"adversarial": (2 + 8) / (6 + 2)}


# Adaptive weight ----------------------------------------------------------------------------------


def test_adaptive_weight_is_the_quotient_of_the_norms_at_the_layer():
    balance = AdaptiveWeight("out", weight=0.8, delta=0.5)
    found = ask(balance, adversarial=2.0, l1=3.0, lpips=4.0)
    assert found == {"adversarial": pytest.approx(0.8 * (2 * 7) / (2 * 2 + 0.5))}
    balance = AdaptiveWeight("out.weight", reference=["l1"], delta=0.0)
    assert ask(balance, adversarial=2.0, l1=3.0, lpips=4.0) == {"adversarial": 1.5}


def test_adaptive_weight_is_clamped_and_detached():
    balance = AdaptiveWeight("out", largest=7.0)
    assert ask(balance, adversarial=1e-9, l1=1.0) == {"adversarial": 7.0}
    step = update()
    (factor,) = balance.weights(
        Player.GENERATOR, terms(step, adversarial=1.0, l1=1.0), step
    ).values()
    assert not factor.requires_grad


def test_adaptive_weight_stays_where_a_term_is_not_due():
    balance = AdaptiveWeight("out", reference=["l1"], delta=0.0)
    assert ask(balance, adversarial=1.0, other=5.0) == {"adversarial": 1.0}
    ask(balance, adversarial=1.0, l1=3.0)
    assert ask(balance, adversarial=1.0, other=5.0) == {"adversarial": 3.0}
    assert ask(balance, l1=3.0) == {}


def test_adaptive_weight_names_what_is_wrong():
    with pytest.raises(InputError, match=r"AdaptiveWeight: layer='outt' names no parameter of Sca"):
        AdaptiveWeight("outt").bind(Scaling(), nn.Linear(4, 1))
    frozen = Scaling().requires_grad_(False)
    with pytest.raises(InputError, match="layer='out' is frozen; name a layer that is trained"):
        AdaptiveWeight("out").bind(frozen, nn.Linear(4, 1))
    step = update()
    both = {"adversarial": torch.ones((), requires_grad=True), **terms(step, l1=1.0)}
    with pytest.raises(InputError, match="the term 'adversarial' does not depend on what its grad"):
        AdaptiveWeight("out").weights(Player.GENERATOR, both, step)
    with pytest.raises(InputError, match="weight, largest and delta must be 0 or more"):
        AdaptiveWeight("out", delta=-1.0)
    with pytest.raises(InputError, match="reference must name terms besides 'adversarial', got"):
        AdaptiveWeight("out", reference=["adversarial"])


# Shares of the gradient ---------------------------------------------------------------------------


def test_shares_are_those_of_the_gradient_whatever_the_scale():
    balance = GradientBalance({"adversarial": 3.0, "l1": 1.0}, total_norm=8.0)
    found = ask(balance, adversarial=100.0, l1=0.5, other=1.0)
    assert found == {
        "adversarial": pytest.approx(8 * 0.75 / (2 * 100.0)),
        "l1": pytest.approx(8 * 0.25 / (2 * 0.5)),
    }


def test_norms_are_averaged_without_the_bias_of_their_start():
    balance = GradientBalance({"adversarial": 1.0}, beta=0.9)
    ask(balance, adversarial=1.0)
    found = ask(balance, adversarial=2.0)
    norm = (0.9 * 0.1 * 2.0 + 0.1 * 4.0) / (0.9 * 0.1 + 0.1)
    assert found == {"adversarial": pytest.approx(1 / norm)}


def test_the_parts_of_a_term_share_one_share():
    balance = GradientBalance({"adversarial": 1.0, "l1": 1.0})
    found = ask(balance, **{"adversarial": 1.0, "l1/coarse": 1.0, "l1/fine": 3.0})
    assert found["l1/coarse"] == found["l1/fine"] == pytest.approx(0.5 / 8.0)


def test_a_norm_that_is_not_finite_is_left_out():
    balance = GradientBalance({"adversarial": 1.0, "l1": 1.0})
    before = ask(balance, adversarial=1.0, l1=1.0)
    assert ask(balance, adversarial=math.nan, l1=math.inf) == before


def test_shares_that_are_refused():
    for shares in ({}, {"l1": -1.0, "adversarial": 2.0}, {"l1": 0.0}):
        with pytest.raises(InputError, match="shares must give a number of 0 or more to each term"):
            GradientBalance(shares)
    with pytest.raises(InputError, match=r"beta at least 0 and below 1, got 1.0, 1000000.0 and 1"):
        GradientBalance({"l1": 1.0}, beta=1.0)
    step = update()
    with pytest.raises(InputError, match="GradientBalance: the term 'codes' does not depend on"):
        GradientBalance({"codes": 1.0}).weights(
            Player.GENERATOR, {"codes": torch.ones((), requires_grad=True)}, step
        )


# GradNorm -----------------------------------------------------------------------------------------


def test_gradnorm_takes_one_step_of_its_loss():
    balance = GradNorm(["adversarial", "l1"], lr=0.1, alpha=1.0)
    # Losses 4c, all rates 1; norms 2 and 6, mean 4: the first is too weak, the second too strong.
    assert ask(balance, adversarial=1.0, l1=3.0) == {"adversarial": 1.0, "l1": 1.0}
    stepped = [1 + 0.1 * 2 / 4, 1 - 0.1 * 6 / 4]
    expected = [2 * weight / sum(stepped) for weight in stepped]
    assert balance.task_weights.tolist() == pytest.approx(expected)
    # Losses twice and once as large as at first: rates 4/3 and 2/3.
    before = balance.task_weights.tolist()
    found = ask(balance, adversarial=2.0, l1=3.0)
    assert list(found.values()) == pytest.approx(before)
    norms = [4.0, 6.0]
    weighted = [w * norm for w, norm in zip(before, norms, strict=True)]
    targets = [sum(weighted) / 2 * rate for rate in (4 / 3, 2 / 3)]
    signs = [math.copysign(1, w - t) for w, t in zip(weighted, targets, strict=True)]
    stepped = [w - 0.1 * s * n / 5 for w, s, n in zip(before, signs, norms, strict=True)]
    expected = [2 * weight / sum(stepped) for weight in stepped]
    assert balance.task_weights.tolist() == pytest.approx(expected)


def test_gradnorm_evens_out_norms():
    balance = GradNorm(["adversarial", "l1"], lr=0.01, alpha=0.0)
    for _ in range(200):
        ask(balance, adversarial=1.0, l1=3.0)
    assert balance.task_weights.tolist() == pytest.approx([1.5, 0.5], abs=0.03)


def test_gradnorm_at_a_layer():
    balance = GradNorm(["adversarial", "l1"], layer="out", lr=0.1, alpha=0.0)
    balance.bind(Scaling(), nn.Linear(4, 1))
    ask(balance, adversarial=1.0, l1=3.0)
    assert balance.task_weights[0] > 1 > balance.task_weights[1]
    with pytest.raises(InputError, match="GradNorm: layer='in' names no parameter"):
        GradNorm(["adversarial", "l1"], layer="in").bind(Scaling(), nn.Linear(4, 1))


def test_gradnorm_rests_where_a_term_is_not_due_or_not_finite():
    balance = GradNorm(["adversarial", "l1"])
    assert ask(balance, adversarial=5.0) == {"adversarial": 1.0}
    assert ask(balance, adversarial=math.nan, l1=1.0) == {"adversarial": 1.0, "l1": 1.0}
    assert not balance.started
    assert balance.task_weights.tolist() == [1.0, 1.0]


def test_gradnorm_refuses():
    with pytest.raises(InputError, match="terms must name two terms or more, each once, got"):
        GradNorm(["l1", "l1"])
    with pytest.raises(InputError, match="lr and alpha must be 0 or more, got -1"):
        GradNorm(["l1", "l2"], lr=-1)


# All of them --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", BALANCES)
@pytest.mark.parametrize("adversarial", [*BAD, 1e30, -1e30])
@pytest.mark.parametrize("l1", [*BAD, 1e30])
def test_factors_and_state_are_finite_whatever_the_terms_are(make, adversarial, l1):
    balance = make()
    for pair in ((adversarial, l1), (1.0, 1.0), (l1, adversarial), (1.0, 2.0)):
        found = ask(balance, adversarial=pair[0], l1=pair[1])
        assert all(math.isfinite(factor) for factor in found.values())
        assert all(bool(buffer.isfinite().all()) for buffer in balance.buffers())


@pytest.mark.parametrize("make", BALANCES)
def test_the_state_goes_on_where_it_stopped(make):
    first, second = make(), make()
    for factor in (1.0, 2.0, 5.0):
        ask(first, adversarial=factor, l1=1.0)
    second.load_state_dict(first.state_dict())
    for _ in range(2):
        assert ask(second, adversarial=3.0, l1=1.0) == ask(first, adversarial=3.0, l1=1.0)
    again = build(first.spec())
    again.load_state_dict(first.state_dict())
    assert ask(again, adversarial=3.0, l1=1.0) == ask(first, adversarial=3.0, l1=1.0)


@pytest.mark.parametrize("make", BALANCES)
def test_the_discriminator_is_left_alone_and_state_is_changed_in_place(make):
    balance = make()
    buffers = {name: id(buffer) for name, buffer in balance.named_buffers()}
    step = update(Player.DISCRIMINATOR)
    output = (step.fake * step.discriminator.weight).sum()
    both = {"adversarial": output, "l1": 2 * output}
    assert balance.weights(Player.DISCRIMINATOR, both, step) == {}
    ask(balance, adversarial=1.0, l1=2.0)
    assert buffers == {name: id(buffer) for name, buffer in balance.named_buffers()}


@pytest.mark.parametrize("make", BALANCES)
def test_nothing_is_learned_without_gradient(make):
    balance = make()
    state = {name: buffer.clone() for name, buffer in balance.named_buffers()}
    with torch.no_grad():
        step = update()
        balance.weights(Player.GENERATOR, terms(step, adversarial=1.0, l1=2.0), step)
    assert all(torch.equal(state[name], buffer) for name, buffer in balance.named_buffers())


@pytest.mark.parametrize("make", BALANCES)
def test_factors_outlive_the_next_update(make):
    """A backward pass that waits for another update finds the factors as they were."""
    balance, step = make(), update()
    found = terms(step, adversarial=1.0, l1=2.0)
    factors = balance.weights(Player.GENERATOR, found, step)
    total = torch.stack([term * factors.get(name, 1.0) for name, term in found.items()]).sum()
    ask(balance, adversarial=7.0, l1=1.0)
    total.backward()
