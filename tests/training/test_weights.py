"""Weights of the adversarial term by schedule: pretraining of G, then D, then both, in one run."""

from __future__ import annotations

import copy
from functools import partial
from itertools import pairwise

import pytest
import pytorch_lightning as pl
import torch
import toys
from torch.nn.functional import softplus

from lightning_gan import EMA, InputError, Regularizer, Schedule
from lightning_gan.augments.base import Augment
from lightning_gan.data import RandomImages
from lightning_gan.game import randomness
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.schedules import BurnIn, Linear

BATCH = 8
PLAYERS = ("generator", "discriminator")
PRETRAINED, ALONE, STEPS = 3, 6, 10  # batches after which D, then G against D, begins


class Between(Schedule):
    """A value within a span of batches, another before and after it."""

    def __init__(self, inside, outside, first, last):
        super().__init__()
        self.inside, self.outside, self.first, self.last = inside, outside, first, last

    def at(self, images):
        return self.inside if self.first * BATCH <= images < self.last * BATCH else self.outside


class Reconstruction(Regularizer):
    """What a supervised generator minimises."""

    def generator(self, step):
        return (step.fake - step.real).abs()


def begins(batches):
    return BurnIn(0.0, 1.0, kimg=batches * BATCH / 1000)


def make(**parts):
    torch.manual_seed(7)
    options = {
        "generator": toys.generator(num_classes=3),
        "discriminator": toys.discriminator(num_classes=3),
        "regularizers": {"reconstruction": Reconstruction(weight=2.0)},
        "generator_optimizer": partial(torch.optim.Adam, lr=1e-2),
        "ema": EMA(half_life_kimg=0.05),
        "schedules": {
            "generator_weight": begins(ALONE),
            "discriminator_weight": begins(PRETRAINED),
            "regularizers.reconstruction.weight": Between(0.0, 2.0, PRETRAINED, ALONE),
        },
    }
    return toys.gan(**{**options, **parts})


def data():
    return RandomImages(shape=[1, 4, 4], n=40, num_classes=3, batch_size=BATCH)


class Noted(pl.Callback):
    """Notes batches, and after each both networks, D's passes and what was logged."""

    def __init__(self, gan):
        self.batches, self.weights, self.passes, self.logged, self._count = [], [], [], [], 0
        gan.discriminator.register_forward_pre_hook(self._called)

    def _called(self, *_):
        self._count += 1

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.batches.append(batch)
        self.weights.append({p: toys.weights(getattr(pl_module, p)) for p in PLAYERS})
        self.passes.append(self._count)
        self.logged.append(set(pl_module.latest_metrics))
        self._count = 0


def train(folder, gan, steps=STEPS, path=None):
    noted = Noted(gan)
    run = toys.trainer(folder, max_steps=steps, callbacks=[noted], limit_val_batches=0)
    run.fit(gan, datamodule=data(), ckpt_path=path)
    return noted, run


def moved(noted, player):
    """Return for each batch after the first whether it moved a player."""
    states = [each[player] for each in noted.weights]
    return [not toys.same(a, b) for a, b in pairwise(states)]


def test_g_is_pretrained_then_d_then_both(tmp_path):
    gan = make()
    noted, _ = train(tmp_path, gan)
    rest, both = [False] * (ALONE - PRETRAINED), [True] * (STEPS - ALONE)
    assert moved(noted, "generator") == [True] * (PRETRAINED - 1) + rest + both
    assert moved(noted, "discriminator") == [False] * (PRETRAINED - 1) + [True] * 3 + both
    assert noted.passes == [0] * PRETRAINED + [2] * 3 + [3] * (STEPS - ALONE)
    assert gan.progress.generator_steps == STEPS - 3
    assert gan.progress.discriminator_steps == STEPS - PRETRAINED
    assert gan.progress.batches == STEPS


def test_the_log_tells_of_what_was_computed_alone(tmp_path):
    noted, _ = train(tmp_path, make())
    generator, discriminator = {"loss/generator"}, {"loss/discriminator", "logits/real"}
    reconstruction = {"regularizer/reconstruction"}
    everything = generator | discriminator | reconstruction
    told = [keys & everything for keys in noted.logged]
    assert told[:PRETRAINED] == [reconstruction] * PRETRAINED
    assert told[PRETRAINED:ALONE] == [discriminator] * 3
    assert told[ALONE:] == [everything] * (STEPS - ALONE)
    assert "skipped/discriminator" not in noted.logged[PRETRAINED - 1]  # it never stepped
    assert "skipped/discriminator" in noted.logged[PRETRAINED]


@pytest.mark.parametrize("share_fakes", [True, False])
def test_pretraining_is_a_supervised_loop(tmp_path, share_fakes):
    """Bit for bit, and D is not touched."""
    gan = make(share_fakes=share_fakes)
    g, d = copy.deepcopy(gan.generator), toys.weights(gan.discriminator)
    torch.manual_seed(3)
    seed = randomness.base_seed()
    noted, _ = train(tmp_path, gan, steps=PRETRAINED)

    noise = randomness.seeded(randomness.derive(seed, 0, 0, 0), torch.device("cpu"))
    optimizer = torch.optim.Adam(g.parameters(), lr=1e-2, fused=True)
    for (real, y), weights in zip(noted.batches, noted.weights, strict=True):
        fake = g(torch.randn(BATCH, 3, generator=noise), y)
        loss = (fake - real).abs().mean() * 2.0
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert toys.same(toys.weights(g), weights["generator"])
        assert toys.same(d, weights["discriminator"])


@pytest.mark.parametrize("stop", [2, PRETRAINED, 4, ALONE, 8])
def test_a_resume_is_exact_across_the_boundaries(tmp_path, stop):
    whole, run = train(tmp_path, make())
    _, part = train(tmp_path, make(), steps=stop)
    part.save_checkpoint(tmp_path / "a.ckpt", weights_only=False)
    gan = make()
    torch.manual_seed(1000)  # a new process is somewhere else
    rest, again = train(tmp_path, gan, path=tmp_path / "a.ckpt")
    assert rest.passes == whole.passes[stop:]
    assert rest.logged == whole.logged[stop:]
    for player in PLAYERS:
        assert toys.same(whole.weights[-1][player], rest.weights[-1][player])
    ours, theirs = run.lightning_module, again.lightning_module
    assert ours.progress == theirs.progress
    assert toys.same(toys.weights(ours.generator_ema), toys.weights(theirs.generator_ema))
    for key, value in ours.latest_metrics.items():
        assert torch.equal(value, theirs.latest_metrics[key]), key


def test_weights_scale_the_adversarial_term_alone(tmp_path):
    """Against a step written by hand; the log keeps the loss as it is."""
    gan = toys.gan(
        generator_weight=0.25,
        discriminator_weight=3.0,
        regularizers={"r1": R1Regularizer(weight=0.5)},
        generator_optimizer=partial(torch.optim.SGD, lr=1.0),
        discriminator_optimizer=partial(torch.optim.SGD, lr=1.0),
        prior=toys.CountingPrior(),
    )
    g, d = copy.deepcopy(gan.generator), copy.deepcopy(gan.discriminator)
    toys.fit(tmp_path, gan, steps=1)
    real = toys.images()[:8].requires_grad_()
    fake = g(toys.CountingPrior().sample(8, 3, generator=None, device="cpu"))
    logits = d(real)
    adversarial = (softplus(-logits) + softplus(d(fake.detach()))).mean()
    (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    penalty = 0.5 * 0.5 * gradient.square().sum((1, 2, 3)).mean()
    step(d, 3.0 * adversarial + penalty)
    loss = softplus(-d(fake)).mean()
    step(g, 0.25 * loss)
    for ours, theirs in ((gan.generator, g), (gan.discriminator, d)):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other)
    assert gan.latest_metrics["loss/discriminator"].item() == pytest.approx(adversarial.item())
    assert gan.latest_metrics["loss/generator"].item() == pytest.approx(loss.item())


def step(network, objective):
    """Descend along the gradient, at a rate of 1."""
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(objective, parameters, retain_graph=True)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= gradient


def test_a_ramp_grows_with_the_images(tmp_path):
    gan = toys.gan(schedules={"generator_weight": Linear(0.0, 1.0, kimg=0.032)})
    found = []

    class Watch(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            found.append(pl_module.generator_settings.weight)

    toys.fit(tmp_path, gan, steps=6, callbacks=[Watch()])
    assert found == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    assert gan.progress.generator_steps == 5


def test_a_player_of_weight_zero_steps_by_its_other_terms(tmp_path):
    """D is trained by R1 alone, which asks it for real samples only."""
    gan = toys.gan(
        discriminator_weight=0.0, generator_weight=0.0, regularizers={"r1": R1Regularizer()}
    )
    noted = Noted(gan)
    toys.fit(tmp_path, gan, steps=4, callbacks=[noted])
    assert noted.passes == [1] * 4
    assert (gan.progress.discriminator_steps, gan.progress.generator_steps) == (4, 0)
    assert "loss/discriminator" not in gan.latest_metrics
    assert gan.latest_metrics["regularizer/r1"] > 0


class Observer(Augment):
    """Notes what it sees, and asks for a player that rests."""

    observes = True

    def __init__(self, measures=frozenset()):
        super().__init__()
        self.measures, self.seen = measures, []

    def forward(self, x):
        return x

    def observe(self, feedback):
        self.seen.append(feedback)


def test_observers_see_no_loss_that_was_not_computed(tmp_path):
    observer = Observer()
    gan = make(augment=observer)
    noted, _ = train(tmp_path, gan)
    assert noted.passes[0] == 0
    first, alone, last = (observer.seen[i] for i in (0, PRETRAINED, -1))
    assert [each.value for each in first.phases] == ["generator"]
    assert (first.discriminator_loss, first.generator_loss, first.real_sign) == (None, None, None)
    assert [each.value for each in alone.phases] == ["discriminator"]
    assert alone.discriminator_loss is not None
    assert alone.generator_loss is None
    assert None not in (last.discriminator_loss, last.generator_loss)


@pytest.mark.parametrize("name", ["generator_weight", "discriminator_weight"])
def test_a_weight_cannot_be_negative(name):
    with pytest.raises(InputError, match=f"{name} must be 0 or more, got -1.0"):
        toys.gan(**{name: -1})
