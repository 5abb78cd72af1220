"""What one batch changes, against loops and numbers written by hand."""

from __future__ import annotations

import copy

import pytest
import torch
import toys
from stepping import Only, record_calls, sgd
from torch.nn.functional import softplus

from lightning_gan import (
    EMA,
    InputError,
    Player,
    Regularizer,
)
from lightning_gan.alternations.alternating import Alternating
from lightning_gan.game import randomness
from lightning_gan.regularizers.r1 import R1Regularizer

G, D = Player.GENERATOR, Player.DISCRIMINATOR

# The update itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("d_steps", [1, 2])
@pytest.mark.parametrize("share_fakes", [True, False])
def test_same_updates_as_a_hand_written_loop(tmp_path, share_fakes, d_steps):
    gan = toys.gan(
        regularizers={"r1": R1Regularizer(weight=2.0, interval=2)},
        alternation=Alternating(d_steps=d_steps),
        share_fakes=share_fakes,
        ema=EMA(half_life_kimg=0.02, ramp_up=None),
    )
    g, d = copy.deepcopy(gan.generator).double(), copy.deepcopy(gan.discriminator).double()
    averaged = copy.deepcopy(g)
    data = toys.loader(toys.images(48).double())
    torch.manual_seed(3)
    seed = randomness.base_seed()
    toys.fit(tmp_path, gan, steps=6, data=data, precision="64-true")

    noise = randomness.seeded(randomness.derive(seed, 0, 0, 0), torch.device("cpu"))
    g_optimizer, d_optimizer = (
        torch.optim.Adam(net.parameters(), 2e-4, betas=(0.5, 0.999)) for net in (g, d)
    )
    for step, (real,) in enumerate(data):
        fake = g(torch.randn(8, 3, generator=noise, dtype=torch.float64))
        real.requires_grad_()
        real_logits = d(real)
        loss = (softplus(-real_logits) + softplus(d(fake.detach()))).mean()
        if step % 2 == 0:
            (gradient,) = torch.autograd.grad(real_logits.sum(), real, create_graph=True)
            loss = loss + 2 * 2.0 * 0.5 * gradient.square().sum((1, 2, 3)).mean()
        d_optimizer.zero_grad()
        loss.backward()
        d_optimizer.step()
        if (step + 1) % d_steps == 0:
            if not share_fakes:
                fake = g(torch.randn(8, 3, generator=noise, dtype=torch.float64))
            g_optimizer.zero_grad()
            softplus(-d(fake)).mean().backward()
            g_optimizer.step()
        decay = 0.5 ** (8 / 20)
        with torch.no_grad():
            for ours, theirs in zip(averaged.parameters(), g.parameters(), strict=True):
                ours.lerp_(theirs, 1 - decay)

    for ours, theirs in ((gan.generator, g), (gan.discriminator, d), (gan.generator_ema, averaged)):
        for name, value in theirs.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("player", [G, D])
def test_a_phase_moves_its_player_alone(tmp_path, player):
    gan = toys.gan(alternation=Only([player]))
    before = {each: toys.weights(getattr(gan, each.value)) for each in Player}
    toys.fit(tmp_path, gan, steps=2)
    for each in Player:
        unmoved = toys.same(before[each], toys.weights(getattr(gan, each.value)))
        assert unmoved == (each is not player)


def test_discriminator_gets_no_weight_gradient_in_the_generator_phase(tmp_path):
    gan = toys.gan(alternation=Only([G]))
    gan.discriminator.head.bias.requires_grad_(False)  # frozen by the user: stays frozen
    toys.fit(tmp_path, gan, steps=2)
    assert all(parameter.grad is None for parameter in gan.discriminator.parameters())
    assert gan.discriminator.layers[0].weight.requires_grad
    assert not gan.discriminator.head.bias.requires_grad


def test_simultaneous_players_step_once(tmp_path):
    gan = toys.gan(alternation=Only([D, D, G], simultaneous=True))
    with pytest.raises(InputError, match="Only is simultaneous and lets a player step twice"):
        toys.fit(tmp_path, gan, steps=1)


def test_simultaneous_gradients_come_before_any_step(tmp_path):
    gan = toys.gan(
        alternation=Only([D, G], simultaneous=True),
        generator_optimizer=sgd(),
        discriminator_optimizer=sgd(),
        prior=toys.CountingPrior(),
    )
    g, d = copy.deepcopy(gan.generator), copy.deepcopy(gan.discriminator)
    toys.fit(tmp_path, gan, steps=1)
    fake = g(toys.CountingPrior().sample(8, 3, generator=None, device="cpu"))
    d_loss = (softplus(-d(toys.images()[:8])) + softplus(d(fake.detach()))).mean()
    g_loss = softplus(-d(fake)).mean()
    for net, loss, trained in ((d, d_loss, gan.discriminator), (g, g_loss, gan.generator)):
        gradients = torch.autograd.grad(loss, list(net.parameters()), retain_graph=True)
        pairs = zip(net.parameters(), gradients, trained.parameters(), strict=True)
        for parameter, gradient, moved in pairs:
            torch.testing.assert_close(moved, parameter - 0.1 * gradient)


# Fakes ------------------------------------------------------------------------------------------


def test_fakes_are_shared_between_the_players(tmp_path):
    gan = toys.gan()
    calls = record_calls(gan.generator)
    judged = record_calls(gan.discriminator)
    toys.fit(tmp_path, gan, steps=3)
    assert len(calls) == 3
    assert len(judged) == 9  # real, fake, and the fake again after D has moved
    assert torch.equal(judged[1][0], judged[2][0])


@pytest.mark.parametrize(
    "options", [{"share_fakes": False}, {"generator_batch": 2}, {"micro_batches": 2}]
)
def test_fakes_are_drawn_anew_where_they_cannot_be_shared(tmp_path, options):
    prior = toys.CountingPrior()
    toys.fit(tmp_path, toys.gan(prior=prior, **options), steps=1)
    per_piece = 8 // options.get("micro_batches", 1)
    pieces = 8 // per_piece
    multiple = options.get("generator_batch", 1)
    assert prior.calls == [per_piece] * pieces + [per_piece * multiple] * pieces


def test_further_generator_steps_draw_new_latents(tmp_path):
    prior = toys.CountingPrior()
    toys.fit(tmp_path, toys.gan(prior=prior, alternation=Alternating(1, 3)), steps=1)
    assert prior.calls == [8, 8, 8]


def test_fake_labels_are_those_of_the_batch(tmp_path):
    y = torch.arange(32) % 5
    gan = toys.gan(generator=toys.generator(num_classes=5), generator_batch=2)
    calls = record_calls(gan.generator)
    toys.fit(tmp_path, gan, steps=1, data=toys.loader(y=y))
    assert torch.equal(calls[0][1], y[:8])
    assert torch.equal(calls[1][1], torch.cat([y[:8], y[:8]]))


def test_uniform_fake_labels_are_drawn(tmp_path):
    gan = toys.gan(generator=toys.generator(num_classes=5), fake_labels="uniform")
    calls = record_calls(gan.generator)
    data = toys.loader(toys.images(512), torch.zeros(512, dtype=torch.int64), batch_size=512)
    toys.fit(tmp_path, gan, steps=1, data=data)
    counts = torch.bincount(calls[0][1], minlength=5)
    assert len(counts) == 5
    assert counts.min() > 512 / 5 - 5 * (512 * 0.16) ** 0.5


def test_uniform_fake_labels_need_no_real_ones(tmp_path):
    gan = toys.gan(generator=toys.generator(num_classes=5), fake_labels="uniform")
    assert toys.fit(tmp_path, gan, steps=1).global_step == 1


def test_a_generator_must_make_what_it_says(tmp_path):
    class Flat(torch.nn.Linear):
        latent_dim, sample_shape = 3, toys.SHAPE

        def forward(self, z, y=None):
            return super().forward(z)

    message = r"Flat must generate samples of its sample_shape \(1, 4, 4\), got .* \(8, 16\)"
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, toys.gan(generator=Flat(3, 16)), steps=1)


def test_labels_of_any_kind_reach_the_networks_untouched(tmp_path):
    class Takes(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net, self.seen = net, []
            self.latent_dim, self.sample_shape = 3, toys.SHAPE

        def forward(self, x, y=None):
            self.seen.append(y)
            return self.net(x)

    g, d = Takes(toys.generator()), Takes(toys.discriminator())
    y = {"text": torch.arange(32.0), "more": (torch.ones(32, 2),)}
    rows = [
        (x, {"text": t, "more": (m,)})
        for x, t, m in zip(toys.images(), y["text"], y["more"][0], strict=True)
    ]
    data = torch.utils.data.DataLoader(rows, batch_size=8)
    toys.fit(tmp_path, toys.gan(generator=g, discriminator=d, micro_batches=2), steps=1, data=data)
    assert torch.equal(g.seen[0]["text"], torch.arange(4.0))
    assert torch.equal(d.seen[-1]["text"], torch.arange(4.0, 8.0))
    assert d.seen[0]["more"][0].shape == (4, 2)


# Micro-batches ------------------------------------------------------------------------------------


def test_micro_batches_make_the_update_of_the_whole_batch(tmp_path):
    trained = []
    for pieces in (1, 3):
        torch.manual_seed(0)
        gan = toys.gan(
            prior=toys.CountingPrior(),
            micro_batches=pieces,
            share_fakes=False,
            regularizers={"r1": R1Regularizer()},
        )
        toys.fit(
            tmp_path, gan, steps=3, data=toys.loader(toys.images(24).double()), precision="64-true"
        )
        trained.append(gan.state_dict())
    for name, value in trained[0].items():
        if isinstance(value, torch.Tensor):
            torch.testing.assert_close(trained[1][name], value, rtol=1e-9, atol=1e-12)


# Regularizers -------------------------------------------------------------------------------------


class Recorder(Regularizer):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.steps, self.updated = [], []

    def discriminator(self, step):
        self.steps.append(step)

    def after_update(self, player, network):
        assert not torch.is_grad_enabled()
        self.updated.append(player)


class Logits(Regularizer):
    differentiates = frozenset({"real", "fake"})

    def discriminator(self, step):
        real, fake = step.real_output.logits, step.fake_output.logits
        gradients = torch.autograd.grad(
            real.sum() + fake.sum(), (step.real, step.fake), create_graph=True
        )
        assert all(gradient.abs().sum() > 0 for gradient in gradients)
        return real.square()


class BothHalves(Regularizer):
    def discriminator(self, step):
        assert not step.fake.requires_grad
        assert not step.generate(step.latents(2), None).requires_grad
        return step.real.mean() * 0 + 3.0

    def generator(self, step):
        assert step.fake.requires_grad
        assert step.generate(step.latents(2), None).requires_grad
        assert step.real.shape == (8, *toys.SHAPE)
        return torch.full((8,), 5.0)


def test_lazy_interval_counts_updates_from_zero(tmp_path):
    recorder = Recorder(interval=3)
    toys.fit(tmp_path, toys.gan(regularizers={"r": recorder}), steps=7)
    assert len(recorder.steps) == 3
    assert [step.images_seen for step in recorder.steps] == [0, 24, 48]


def test_a_regularizer_shares_the_logits_of_the_loss(tmp_path):
    gan = toys.gan(regularizers={"l": Logits()}, alternation=Only([D]))
    calls = record_calls(gan.discriminator)
    toys.fit(tmp_path, gan, steps=1)
    assert len(calls) == 2


def test_terms_are_weighted_and_logged(tmp_path):
    gan = toys.gan(regularizers={"both": BothHalves(weight=0.5, interval=2)})
    toys.fit(tmp_path, gan, steps=1)
    assert gan.latest_metrics["regularizer/both/discriminator"].item() == 1.5
    assert gan.latest_metrics["regularizer/both/generator"].item() == 2.5
    single = toys.gan(regularizers={"r1": R1Regularizer()})
    toys.fit(tmp_path, single, steps=1)
    assert single.latest_metrics["regularizer/r1"] > 0


def test_after_update_runs_after_every_step(tmp_path):
    recorder = Recorder()
    toys.fit(tmp_path, toys.gan(regularizers={"r": recorder}), steps=2)
    assert recorder.updated == [D, G, D, G]


def test_a_weight_of_zero_costs_nothing(tmp_path):
    recorder = Recorder(weight=0.0)
    toys.fit(tmp_path, toys.gan(regularizers={"r": recorder}), steps=2)
    assert recorder.steps == []


def test_what_a_regularizer_requires_is_checked():
    class Needs(Regularizer):
        requires = frozenset({"class_logits"})

    class NeedsMapping(Regularizer):
        requires = frozenset({"mapping"})

    class Differentiates(Regularizer):
        differentiates = frozenset({"latents"})

    with pytest.raises(InputError, match="'n' .Needs. needs 'class_logits'"):
        toys.gan(regularizers={"n": Needs()})
    with pytest.raises(InputError, match="needs 'mapping', which neither MLPGenerator"):
        toys.gan(regularizers={"n": NeedsMapping()})
    with pytest.raises(
        InputError, match="differentiates latents; only 'real', 'fake' and 'points'"
    ):
        toys.gan(regularizers={"n": Differentiates()})
