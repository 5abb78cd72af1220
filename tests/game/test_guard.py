"""What a batch did to buffers and extra state is undone with an update that is left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import toys
from torch import nn

from lightning_gan import EMA, Batch, Game, Prior
from lightning_gan.game.guard import SMALL, Guard, any_not_finite
from lightning_gan.game.held_out import evaluated


class Layer(nn.Module):
    """Buffers of every kind, and a count in Python."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("queue", torch.zeros(SMALL + 1))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))
        self.register_buffer("seen", torch.zeros(2, dtype=torch.bool))
        self.register_buffer("unused", None)
        self.count = 0

    def get_extra_state(self):
        return {"count": self.count}

    def set_extra_state(self, state):
        self.count = state["count"]

    def step(self, replace=False):
        self.mean += 1.0
        self.queue[:5] = 2.0
        self.pointer += 5
        self.seen[0] = True
        self.count += 1
        if replace:
            self.mean = self.mean * 10


def play(guard, layer, skip, asks=True, **options):
    guard.begin()
    layer.step(**options)
    guard.verdicts = [(None, torch.tensor(float(skip)))]
    guard.settle(asks=asks)


def values(layer):
    return {name: value.clone() for name, value in layer.named_buffers()} | {"count": layer.count}


def same(ours, theirs):
    return all(
        torch.equal(ours[k], theirs[k]) if torch.is_tensor(ours[k]) else ours[k] == theirs[k]
        for k in ours
    )


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("replace", [True, False])
def test_all_kinds_of_state_come_back(asks, replace):
    layer, guard = Layer(), Guard()
    guard.watch(layer)
    play(guard, layer, skip=False, asks=asks)
    kept = values(layer)
    original = layer.mean
    play(guard, layer, skip=True, asks=asks, replace=replace)
    assert same(values(layer), kept)
    assert layer.mean is original
    play(guard, layer, skip=False, asks=asks)
    assert layer.count == 2
    assert layer.pointer == 10
    assert layer.mean[0] == 2


def test_a_queue_that_changed_between_batches_is_what_comes_back():
    layer, guard = Layer(), Guard()
    guard.watch(layer)
    play(guard, layer, skip=False)
    layer.queue.fill_(7.0)  # in observe, say
    play(guard, layer, skip=True)
    assert layer.queue.eq(7.0).all()


def test_large_buffers_that_nobody_changes_are_not_copied(monkeypatch):
    layer, guard = Layer(), Guard()
    guard.watch(layer)
    play(guard, layer, skip=False)
    copied = []
    copy = torch._foreach_copy_
    monkeypatch.setattr(
        torch,
        "_foreach_copy_",
        lambda to, of: (copied.extend(map(len, map(torch.ravel, of))), copy(to, of)),
    )
    guard.begin()  # after the change of the batch before
    assert SMALL + 1 in copied
    copied.clear()
    guard.begin()
    assert copied
    assert SMALL + 1 not in copied


def test_what_a_graph_repeats_renews_its_own_copy():
    """A replay changes large buffers without a new version."""
    layer, guard = Layer(), Guard()
    guard.watch(layer)
    play(guard, layer, skip=False, asks=False)
    (place,) = [each for each in guard._places if each.name == "queue"]
    assert torch.equal(place.kept, layer.queue)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64])
def test_one_bad_element_is_found(dtype, bad):
    good, other = torch.ones(3, dtype=dtype), torch.ones(2)
    assert any_not_finite([good, other]) == 0
    good[1] = bad
    assert any_not_finite([good, other]) == 1
    assert any_not_finite([other, good.to_sparse()]) == 1
    assert any_not_finite([]) == 0


@pytest.mark.parametrize("asks", [True, False])
def test_a_buffer_that_came_or_went_is_as_before(asks):
    layer, guard = Layer(), Guard()
    guard.watch(layer)

    def swap():
        layer.unused, layer.mean = torch.ones(2), None

    for skip in (True, False, True):
        before = (layer.unused, layer.mean)
        guard.begin()
        if layer.unused is None:
            swap()
        else:
            layer.unused, layer.mean = None, torch.ones(3)
        guard.verdicts = [(None, torch.tensor(float(skip)))]
        guard.settle(asks=asks)
        assert ((layer.unused is before[0]) and (layer.mean is before[1])) == skip


def test_extra_state_may_be_an_array():
    class Counting(nn.Module):
        counts = np.zeros(3)

        def get_extra_state(self):
            return self.counts

        def set_extra_state(self, state):
            self.counts = state

    layer, guard = Counting(), Guard()
    guard.watch(layer)
    guard.begin()
    layer.counts = layer.counts + 1
    guard.verdicts = [(None, torch.tensor(1.0))]
    guard.settle()
    assert not layer.counts.any()


class Counted(Prior):
    """Counts what was drawn, in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("drawn", torch.zeros((), dtype=torch.int64))

    def sample(self, n, latent_dim, *, generator, device):
        self.drawn += n
        return super().sample(n, latent_dim, generator=generator, device=device)


def test_a_prior_is_as_before_where_an_update_is_left_out():
    gan = toys.gan(prior=Counted())
    game = Game(gan)
    game.play(toys.images(4))
    game.play(toys.images(4) * float("nan"))
    assert gan.prior.drawn == 4


def test_samples_and_validation_leave_a_prior_as_it_is():
    gan = toys.gan(prior=Counted(), ema=EMA())
    gan.sample(3)
    evaluated(gan, Batch(toys.images(4)), 0, torch.device("cpu"))
    assert gan.prior.drawn == 0
