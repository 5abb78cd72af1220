"""What one batch changes, against loops and numbers written by hand."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
import toys
from torch.nn.functional import softplus

from lightning_gan import (
    EMA,
    AdversarialLoss,
    Alternation,
    Augment,
    InputError,
    Player,
    Regularizer,
)
from lightning_gan.alternations.alternating import Alternating
from lightning_gan.game import randomness
from lightning_gan.losses.minimax import MinimaxLoss
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.schedules import BurnIn, Linear

G, D = Player.GENERATOR, Player.DISCRIMINATOR


class Only(Alternation):
    def __init__(self, players, simultaneous=False):
        super().__init__()
        self.players, self.simultaneous = players, simultaneous

    def phases(self, progress):
        return self.players


def record_calls(network):
    """Collect the inputs of every forward call of a network."""
    calls = []
    network.register_forward_pre_hook(lambda _, inputs: calls.append(inputs))
    return calls


def sgd(lr=0.1):
    return partial(torch.optim.SGD, lr=lr)


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


# Optimizers ---------------------------------------------------------------------------------------


def test_gradients_are_clipped_for_each_player_by_its_own_rule(tmp_path):
    gan = toys.gan(
        generator_clip_value=1e-3,
        discriminator_clip_norm=1e-2,
        generator_optimizer=sgd(1.0),
        discriminator_optimizer=sgd(1.0),
    )
    before = {each: toys.weights(getattr(gan, each.value)) for each in Player}
    toys.fit(tmp_path, gan, steps=1)
    moves = {
        each: torch.cat(
            [
                (before[each][name] - value).flatten()
                for name, value in toys.weights(getattr(gan, each.value)).items()
            ]
        )
        for each in Player
    }
    assert moves[G].abs().max().item() == pytest.approx(1e-3, rel=1e-3)
    assert moves[D].norm().item() == pytest.approx(1e-2, rel=1e-3)
    assert gan.latest_metrics["grad_norm/discriminator"] > 1e-2  # before clipping


def test_lr_schedules_step_after_their_own_optimizer(tmp_path):
    halve = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    gan = toys.gan(
        generator_optimizer=sgd(1.0),
        discriminator_optimizer=sgd(1.0),
        generator_lr_scheduler=halve,
        discriminator_lr_scheduler=halve,
        alternation=Alternating(d_steps=2),
    )
    run = toys.fit(tmp_path, gan, steps=4)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in run.optimizers]
    assert rates == [1 / 4, 1 / 16]


def test_counts_can_be_scheduled(tmp_path):
    gan = toys.gan(
        alternation=Alternating(d_steps=2),
        schedules={"alternation.d_steps": BurnIn(2, 1, kimg=0.032)},
    )
    toys.fit(tmp_path, gan, steps=6)
    assert (gan.alternation.d_steps, gan.progress.generator_steps) == (1, 4)


def test_optimizers_and_schedulers_are_tried_at_construction():
    with pytest.raises(InputError, match="generator_lr_scheduler is ReduceLROnPlateau, which wait"):
        toys.gan(generator_lr_scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau)
    with pytest.raises(InputError, match="generator_optimizer: Invalid learning rate: -1"):
        toys.gan(generator_optimizer=sgd(-1.0))
    with pytest.raises(InputError, match="discriminator_optimizer: .*unexpected keyword .*'lrr'"):
        toys.gan(discriminator_optimizer=partial(torch.optim.Adam, lrr=1.0))
    with pytest.raises(InputError, match="discriminator_lr_scheduler: .*step_size"):
        toys.gan(discriminator_lr_scheduler=torch.optim.lr_scheduler.StepLR)


def test_default_optimizers_are_fused_adam(tmp_path):
    run = toys.fit(tmp_path, toys.gan(), steps=1)
    for optimizer in run.optimizers:
        group = optimizer.param_groups[0]
        assert isinstance(optimizer, torch.optim.Adam)
        assert (group["lr"], group["betas"], group["fused"]) == (2e-4, (0.5, 0.999), True)


def test_a_generator_without_parameters_cannot_step(tmp_path):
    gan = toys.gan()
    gan.generator.requires_grad_(False)
    message = "Alternation lets the generator step, and all of it is frozen: thaw some of it, or"
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, gan, steps=1)


# Schedules ----------------------------------------------------------------------------------------


def test_schedules_set_numbers_by_images_seen(tmp_path):
    seen = []

    class Watch(Regularizer):
        def discriminator(self, step):
            seen.append((self.weight, gan.ema.half_life_kimg))

    gan = toys.gan(
        regularizers={"w": Watch(weight=9.0)},
        ema=EMA(),
        schedules={
            "regularizers.w.weight": Linear(1.0, 3.0, kimg=0.016),
            "ema.half_life_kimg": Linear(1.0, 0.0, kimg=0.008),
        },
    )
    toys.fit(tmp_path, gan, steps=4)
    assert seen == [(1.0, 1.0), (2.0, 0.0), (3.0, 0.0), (3.0, 0.0)]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("regularizers.r2.weight", "names no part of this GAN, did you mean 'r1'"),
        ("regularizers.r1.wieght", "names no number, did you mean 'weight'"),
        ("share_fakes", "names no number"),
        ("global_step", "names no number"),
        ("generator_clip_norm", "names no number"),
    ],
)
def test_a_schedule_of_nothing_is_refused(path, message):
    with pytest.raises(InputError, match=message):
        toys.gan(regularizers={"r1": R1Regularizer()}, schedules={path: Linear(0.0, 1.0, kimg=1)})


# Observers ----------------------------------------------------------------------------------------


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


# Precision ----------------------------------------------------------------------------------------


def test_bf16_with_two_discriminator_steps_uses_fresh_weights(tmp_path):
    """A stale bf16 copy of D's weights would give both steps the same gradient."""

    class Gradients(Regularizer):
        def __init__(self):
            super().__init__()
            self.seen = []

        def after_update(self, player, network):
            self.seen.append(network.head.weight.grad.clone())

    recorder = Gradients()
    gan = toys.gan(
        regularizers={"g": recorder},
        alternation=Only([D, D]),
        discriminator_optimizer=sgd(2.0),
        prior=toys.CountingPrior(),
    )
    d = copy.deepcopy(gan.discriminator)
    toys.fit(tmp_path, gan, steps=1, precision="bf16-mixed")
    real, prior = toys.images()[:8], toys.CountingPrior()
    for gradient in recorder.seen:
        fake = gan.generator(prior.sample(8, 3, generator=None, device="cpu")).detach()
        loss = (softplus(-d(real)) + softplus(d(fake))).mean()
        expected = torch.autograd.grad(loss, list(d.parameters()))
        error = (gradient - expected[-2]).norm() / expected[-2].norm()
        assert error < 0.05
        with torch.no_grad():
            for parameter, step in zip(d.parameters(), expected, strict=True):
                parameter -= 2.0 * step


def test_bf16_generator_is_trained_after_a_discriminator_phase(tmp_path):
    for share_fakes in (True, False):
        gan = toys.gan(share_fakes=share_fakes)
        before = toys.weights(gan.generator)
        toys.fit(tmp_path, gan, steps=1, precision="bf16-mixed")
        after = toys.weights(gan.generator)
        assert all(not torch.equal(before[name], after[name]) for name in before)


def test_bf16_penalties_and_losses_see_float32(tmp_path):
    kinds = []

    class Kinds(R1Regularizer):
        def discriminator(self, step):
            kinds.append((step.real_output.logits.dtype, torch.is_autocast_enabled("cpu")))
            term = super().discriminator(step)
            kinds.append(term.dtype)
            return term

    class LossKinds(NonSaturatingLoss):
        def generator(self, fake_logits, real_logits=None):
            kinds.append(fake_logits.dtype)
            return super().generator(fake_logits, real_logits)

    gan = toys.gan(regularizers={"r1": Kinds()}, loss=LossKinds())
    toys.fit(tmp_path, gan, steps=1, precision="bf16-mixed")
    assert kinds == [(torch.float32, False), torch.float32, torch.float32]


def test_bf16_penalty_is_that_of_float32(tmp_path):
    """R1 and its double backward run in full precision, fakes alone in bf16."""

    class Gradients(R1Regularizer):
        def after_update(self, player, network):
            if player is D:
                gradients.append(torch.cat([p.grad.flatten() for p in network.parameters()]))

    values, gradients = [], []
    for precision in ("32-true", "bf16-mixed"):
        torch.manual_seed(0)
        gan = toys.gan(regularizers={"r1": Gradients(weight=1e4)})
        toys.fit(tmp_path, gan, steps=1, precision=precision)
        values.append(gan.latest_metrics["regularizer/r1"].item())
    assert values[0] == pytest.approx(values[1], rel=1e-6)
    assert (gradients[0] - gradients[1]).norm() < 1e-3 * gradients[0].norm()


def test_bf16_true_trains_with_a_penalty(tmp_path):
    gan = toys.gan(regularizers={"r1": R1Regularizer()})
    toys.fit(
        tmp_path, gan, steps=1, precision="bf16-true", data=toys.loader(toys.images().bfloat16())
    )
    assert torch.isfinite(gan.latest_metrics["regularizer/r1"])


def test_16_mixed_is_refused(tmp_path):
    gan = toys.gan()
    run = toys.trainer(tmp_path, max_steps=1)
    type(run).precision, original = property(lambda _: "16-mixed"), type(run).precision
    try:
        with pytest.raises(InputError, match="use precision=bf16-mixed"):
            run.fit(gan, toys.loader())
    finally:
        type(run).precision = original


# Parts that do not fit ----------------------------------------------------------------------------


class Paired(MinimaxLoss):
    needs_real_logits_for_generator = True

    def generator(self, fake_logits, real_logits=None):
        return softplus(real_logits - fake_logits)


def test_relativistic_losses_get_real_logits(tmp_path):
    gan = toys.gan(loss=Paired())
    calls = record_calls(gan.discriminator)
    toys.fit(tmp_path, gan, steps=1)
    assert len(calls) == 4
    with pytest.raises(InputError, match="Paired pairs real samples with fakes"):
        toys.gan(loss=Paired(), generator_batch=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"micro_batches": 0}, "micro_batches must be a whole number from 1, got 0"),
        ({"micro_batches": "2"}, "micro_batches must be a whole number from 1, got '2'"),
        ({"regularizers": [R1Regularizer()]}, "regularizers must be a dict of names and objects"),
        ({"regularizers": {"a.b": R1Regularizer()}}, "cannot be called 'a.b'"),
        ({"regularizers": {"items": R1Regularizer()}}, "cannot be called 'items'"),
        ({"generator_batch": 0}, "generator_batch must be a whole number from 1, got 0"),
        ({"fake_labels": "any"}, "fake_labels must be 'real' or 'uniform', got 'any'"),
        ({"fake_labels": "uniform"}, "needs a generator with num_classes"),
        ({"generator_clip_norm": -1.0}, "generator_clip_norm must be positive, got -1.0"),
        (
            {"discriminator_clip_norm": 1.0, "discriminator_clip_value": 1.0},
            "give discriminator_clip_norm or discriminator_clip_value, not both",
        ),
        ({"generator": "dcgan"}, r"create_generator\('dcgan', ...\) builds a registered one"),
        ({"generator": torch.nn.Linear(2, 2)}, "Linear has no attribute 'latent_dim'"),
        ({"loss": torch.nn.BCELoss()}, "loss must be a lightning_gan.AdversarialLoss, got BCELoss"),
        ({"prior": torch.randn}, "prior must be a lightning_gan.Prior"),
        ({"regularizers": {"x": 3}}, "regularizers.x must be a lightning_gan.Regularizer, got 3"),
        ({"ema": 0.999}, "ema must be a lightning_gan.Average, got 0.999"),
        (
            {"discriminator": toys.discriminator(sample_shape=(1, 8, 8))},
            r"differ in sample_shape: \(1, 4, 4\) and \(1, 8, 8\)",
        ),
        (
            {
                "generator": toys.generator(num_classes=3),
                "discriminator": toys.discriminator(num_classes=4),
            },
            "differ in num_classes: 3 and 4",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        toys.gan(**options)


def test_coupled_samples_and_micro_batches_warn():
    class Coupled(AdversarialLoss):
        couples_samples = True

        def discriminator(self, real_logits, fake_logits):
            return fake_logits - real_logits

        def generator(self, fake_logits, real_logits=None):
            return -fake_logits

    with pytest.warns(UserWarning, match="Coupled couples the samples of a batch"):
        toys.gan(loss=Coupled(), micro_batches=2)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (toys.images(shape=(1, 5, 5)), None, r"shape \(1, 5, 5\), the networks expect \(1, 4, 4\)"),
        (toys.images().double(), None, "samples are torch.float64 and the networks torch.float32"),
        ((toys.images() * 127).to(torch.uint8), None, "must be floating point, got torch.uint8"),
        (toys.images() / 0, None, "NaN or infinite"),
        (toys.images(), None, "has num_classes=3 but the data yield no labels"),
        (toys.images(), torch.full((32,), 3), r"must lie in 0..2 .num_classes=3., .* 3..3"),
        (toys.images(), torch.zeros(32), r"int64 of shape \(8,\), got a tensor of torch.float32"),
    ],
)
def test_the_first_batch_is_checked_before_any_step(tmp_path, x, y, message):
    conditional = "num_classes" in message or "int64" in message
    gan = toys.gan(generator=toys.generator(num_classes=3 if conditional else None))
    before = toys.weights(gan.generator)
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, gan, steps=1, data=toys.loader(x, y))
    assert toys.same(before, toys.weights(gan.generator))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            toys.images() * 0.5 + 0.5,
            r"images lie in \[0.*, not in \[-1, 1\]: map them with 2 \* x - 1",
        ),
        (toys.images() * 120 + 121, "map them with x / 127.5 - 1, or declare what they are"),
        (toys.images() * 3, r"images lie in .* not in \[-1, 1\]: a generator that ends in tanh"),
    ],
)
def test_where_no_range_is_declared_one_that_is_unusual_gets_a_warning(tmp_path, x, message):
    gan = toys.gan()
    with pytest.warns(UserWarning, match=message):
        toys.fit(tmp_path, gan, steps=1, data=toys.loader(x))
    assert gan.progress.batches == 1


def test_samples_beyond_a_declared_range_are_refused_before_any_step(tmp_path):
    class Physical(pl.LightningDataModule):
        sample_range = (0.0, 50.0)

        def train_dataloader(self):
            return toys.loader((toys.images() + 1) * 99)

    gan = toys.gan()
    message = r"declared to lie in \[0, 50\] \(sample_range\), .* lie in .*: scale them, or declare"
    with pytest.raises(InputError, match=message):
        toys.trainer(tmp_path, max_steps=1).fit(gan, datamodule=Physical())
    assert gan.progress.batches == 0


def test_a_loss_must_return_tensors(tmp_path):
    class Float(MinimaxLoss):
        def discriminator(self, real_logits, fake_logits):
            return 0.5

    with pytest.raises(InputError, match="Float.discriminator must return a tensor, got 0.5"):
        toys.fit(tmp_path, toys.gan(loss=Float()), steps=1)


def test_a_batch_of_another_form_is_refused(tmp_path):
    data = torch.utils.data.DataLoader([{"image": x} for x in toys.images()], batch_size=8)
    message = (
        r"a pair .* got a dict of image; name its entries .'image'.*BatchKeys\(real=..., y=...\)"
    )
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, toys.gan(), steps=1, data=data)
