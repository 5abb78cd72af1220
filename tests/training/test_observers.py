"""Who watches training sees each batch once, averaged."""

from __future__ import annotations

import copy

import pytest
import torch
import toys
from stepping import Only
from torch.nn.functional import softplus

from lightning_gan import (
    Augment,
    InputError,
    Player,
)

G, D = Player.GENERATOR, Player.DISCRIMINATOR


class Observer(Augment):
    observes = True

    def __init__(self, measures=frozenset()):
        super().__init__()
        self.measures = measures
        self.seen = []

    def forward(self, x):
        return x

    def observe(self, feedback):
        self.seen.append(feedback)


def test_observers_see_each_batch_once(tmp_path):
    observer = Observer()
    gan = toys.gan(augment=observer)
    toys.fit(tmp_path, gan, steps=2)
    first = observer.seen[0]
    assert len(observer.seen) == 2
    assert first.phases == (D, G)
    assert first.progress.batches == 1
    assert -1 <= first.real_sign.item() <= 1
    assert observer.seen[1].discriminator_loss.item() == pytest.approx(
        gan.latest_metrics["loss/discriminator"].item()
    )


@pytest.mark.parametrize(("player", "resting"), [(G, D), (D, G)])
def test_a_resting_player_is_measured_only_on_request(tmp_path, player, resting):
    for measures in (frozenset(), frozenset({resting})):
        observer = Observer(measures)
        norm = torch.nn.BatchNorm1d(8)
        d = toys.discriminator()
        d.layers.insert(1, norm)
        gan = toys.gan(augment=observer, alternation=Only([player]), discriminator=d)
        toys.fit(tmp_path, gan, steps=1)
        loss = getattr(observer.seen[0], f"{resting.value}_loss")
        assert (loss is not None) == bool(measures)
        calls_in_the_phase = {G: 1, D: 2}[player]
        assert norm.num_batches_tracked.item() == calls_in_the_phase


def test_observers_see_batches_on_which_nobody_steps(tmp_path):
    for measures, measured in ((frozenset(), False), (frozenset({D, G}), True)):
        observer = Observer(measures)
        gan = toys.gan(augment=observer, alternation=Only([]))
        toys.fit(tmp_path, gan, steps=1)
        assert observer.seen[0].phases == ()
        assert (observer.seen[0].discriminator_loss is not None) == measured
        assert (observer.seen[0].generator_loss is not None) == measured


@pytest.mark.parametrize("phases", [None, "D", D, ("generator",)])
def test_phases_must_be_players(tmp_path, phases):
    with pytest.raises(InputError, match="Only.phases must return a tuple of Player, got"):
        toys.fit(tmp_path, toys.gan(alternation=Only(phases)), steps=1)


def test_the_measured_loss_is_the_loss(tmp_path):
    observer = Observer(frozenset({D}))
    gan = toys.gan(
        augment=observer, alternation=Only([G]), prior=toys.CountingPrior(), generator_batch=2
    )
    g = copy.deepcopy(gan.generator)
    toys.fit(tmp_path, gan, steps=1)
    real = gan.discriminator(toys.images()[:8])
    fake = gan.discriminator(g(toys.CountingPrior().sample(8, 3, generator=None, device="cpu")))
    expected = (softplus(-real) + softplus(fake)).mean()
    torch.testing.assert_close(observer.seen[0].discriminator_loss, expected.detach())
