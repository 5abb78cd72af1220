"""Updates of an Adversary that are not finite; copies of it, and where it is."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from adversaries import adversary, normed, pair, same, sgd, state
from torch import nn

from lightning_gan import NotFiniteError
from lightning_gan.regularizers.r1 import R1Regularizer

# Updates that are not finite ----------------------------------------------------------------------


@pytest.mark.parametrize("where", ["real", "fake"])
@pytest.mark.parametrize("optimizer", [sgd, None])
def test_a_batch_with_nan_is_left_out_and_counted(where, optimizer):
    trained = adversary(normed(), discriminator_optimizer=optimizer)
    real, fake = pair()
    trained.step(real, fake)
    before = state(trained)
    bad = {"real": real, "fake": fake}
    bad[where] = bad[where].masked_fill(bad[where] > 0.9 * bad[where].max(), torch.nan)
    trained.step(**bad)
    loss = trained.generator_loss(**bad)
    if where == "fake":
        assert not loss.isfinite()
        assert same(before, state(trained))  # statistics too, by step and by generator_loss
        loss.backward()
    assert trained.skipped == 1
    weights = {
        name: p for name, p in before.items() if "running" not in name and "num_" not in name
    }
    assert same(weights, state(trained))
    trained.step(real, fake)
    assert trained.skipped == 1
    assert not same(weights, state(trained))
    assert all(value.isfinite().all() for value in state(trained).values())


def test_statistics_come_back_where_the_device_keeps_the_verdict():
    """As on a GPU, where the host does not read it."""
    trained = adversary(normed())
    guard = trained._theirs.guard
    guard.settle = partial(guard.settle, asks=False)
    real, fake = pair()
    trained.step(real, fake)
    before = state(trained)
    loss = trained.generator_loss(fake, real)
    assert not same(before, state(trained))
    loss.backward()  # statistics were written, and the graph holds
    before = state(trained)
    trained.generator_loss(fake * torch.nan, real)
    assert same(before, state(trained))


@pytest.mark.parametrize("limit", [10, None])
def test_too_many_in_a_row_end_training(limit):
    trained = adversary(max_skipped=limit)
    real, fake = pair()
    trained.step(real, fake)
    for _ in range(48):
        trained.step(real, fake * torch.nan)
    if limit is None:
        trained.step(real, fake * torch.nan)
    else:
        with pytest.raises(NotFiniteError, match="49 updates of the discriminator in a row"):
            trained.step(real, fake * torch.nan)
    assert trained.skipped == 49


# Where it is, and copies of it --------------------------------------------------------------------


def test_copies_go_on_alone():
    real, fake = pair()
    trained = adversary(normed(), regularizers={"r1": R1Regularizer()})
    trained.step(real, fake)
    other = copy.deepcopy(trained)
    assert same(state(trained), state(other))
    trained.step(real, fake)
    assert not same(state(trained), state(other))
    other.step(real, fake)
    assert same(state(trained), state(other))
    assert other.progress == trained.progress


def test_the_optimizer_follows_where_the_networks_go():
    real, fake = pair()
    real, fake = real.float(), fake.detach().float()
    trained = adversary(normed().float())
    trained.step(real, fake)
    holder = nn.ModuleDict({"adversary": trained}).double()
    assert holder["adversary"] is trained
    moments = [each["exp_avg"] for each in trained.optimizer.state.values()]
    assert len(moments) > 3
    assert all(each.dtype == torch.float64 for each in moments)
    assert all(each.abs().sum() > 0 for each in moments)
    trained.step(real.double(), fake.double())
    assert trained.progress.discriminator_steps == 2
