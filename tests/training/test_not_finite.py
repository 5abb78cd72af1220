"""NaN and infinite losses and gradients never reach weights, statistics, EMA or observers."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

import pytest
import torch
import toys
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

from lightning_gan import EMA, Alternation, Player, Regularizer
from lightning_gan.alternations.alternating import Alternating
from lightning_gan.alternations.loss_threshold import LossThreshold
from lightning_gan.errors import InputError, NotFiniteError
from lightning_gan.losses.non_saturating import NonSaturatingLoss

FUSED = partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.999))
PLAIN = partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.999), foreach=False)
RMSPROP = partial(torch.optim.RMSprop, lr=1e-2, momentum=0.9)
MOMENTUM = partial(torch.optim.SGD, lr=1e-2, momentum=0.9)


class Bad(Regularizer):
    """Adds a value to a player's objective at some of its updates."""

    def __init__(self, updates, value=math.nan, player="discriminator", through_gradient=True):
        super().__init__()
        self.updates, self.value, self.player = updates, value, player
        self.through_gradient, self.calls = through_gradient, {"generator": -1, "discriminator": -1}

    def discriminator(self, step):
        return self._term("discriminator", step)

    def generator(self, step):
        return self._term("generator", step)

    def _term(self, player, step):
        self.calls[player] += 1
        bad = player == self.player and self.calls[player] in self.updates
        value = self.value if bad else 0.0
        return step.fake_output.logits * value if self.through_gradient else torch.tensor(value)


class Recorder(Regularizer):
    """Notes the weights after every update."""

    def __init__(self):
        super().__init__()
        self.weights = {"generator": [], "discriminator": []}

    def after_update(self, player, network):
        weights = [parameter.detach().flatten() for parameter in network.parameters()]
        self.weights[player.value].append(torch.cat(weights))


def make(bad, optimizer=FUSED, **options):
    torch.manual_seed(3)
    net = toys.generator()
    net.layers.insert(1, nn.BatchNorm1d(8))
    recorder = Recorder()
    gan = toys.gan(
        generator=net,
        discriminator=spectral(toys.discriminator()),
        regularizers={"bad": bad, "recorder": recorder},
        generator_optimizer=optimizer,
        discriminator_optimizer=optimizer,
        ema=EMA(half_life_kimg=0.01),
        **options,
    )
    return gan, recorder.weights


def spectral(network):
    layer = next(m for m in network.modules() if isinstance(m, nn.Linear))
    nn.utils.parametrizations.spectral_norm(layer)
    return network


def tensors(gan):
    """Return copies of all floating tensors; the count of batches that batch norm saw is none."""
    return {
        key: value.clone()
        for key, value in gan.state_dict().items()
        if isinstance(value, torch.Tensor) and value.is_floating_point()
    }


def is_finite(gan):
    values = [v for v in gan.state_dict().values() if isinstance(v, torch.Tensor)]
    states = [s for o in gan.trainer.optimizers for s in o.state_dict()["state"].values()]
    values += [v for state in states for v in state.values() if isinstance(v, torch.Tensor)]
    return all(torch.isfinite(value).all() for value in values)


@pytest.mark.parametrize("optimizer", [FUSED, PLAIN, RMSPROP, MOMENTUM])
@pytest.mark.parametrize("player", ["generator", "discriminator"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_update_that_is_not_finite_is_left_out(tmp_path, optimizer, player, value):
    gan, weights = make(Bad([2, 4], value, player), optimizer)
    toys.fit(tmp_path, gan, steps=6)
    assert is_finite(gan)
    unchanged = [torch.equal(a, b) for a, b in pairwise(weights[player])]
    assert unchanged == [False, True, False, True, False]
    assert gan.latest_metrics[f"skipped/{player}"] == 2
    other = "generator" if player == "discriminator" else "discriminator"
    assert gan.latest_metrics[f"skipped/{other}"] == 0
    assert gan.progress.discriminator_steps == 6


def test_a_left_out_update_changes_nothing_at_all(tmp_path):
    gan, _ = make(Bad([0, 1, 2, 3]), share_fakes=False, alternation=Alternating(d_steps=9))
    before = tensors(gan)
    toys.fit(tmp_path, gan, steps=4)
    assert toys.same(before, tensors(gan))


def test_momentum_begins_with_the_first_update_that_counts(tmp_path):
    """Fused SGD, told to skip its first step, would keep memory that nobody wrote."""
    gan, weights = make(Bad([0]), MOMENTUM)
    run = toys.fit(tmp_path, gan, steps=2)
    first, second = weights["discriminator"][:2]
    (state,) = [o.state_dict()["state"] for o in run.optimizers[1:]]
    momentum = torch.cat([state[k]["momentum_buffer"].flatten() for k in sorted(state)])
    torch.testing.assert_close(first - second, 1e-2 * momentum)


def test_players_that_step_together(tmp_path):
    gan, weights = make(Bad([1]), alternation=Together())
    toys.fit(tmp_path, gan, steps=3)
    assert [torch.equal(a, b) for a, b in pairwise(weights["discriminator"])] == [True, False]
    assert [torch.equal(a, b) for a, b in pairwise(weights["generator"])] == [False, False]
    assert is_finite(gan)


class Together(Alternation):
    simultaneous = True

    def phases(self, progress):
        return (Player.DISCRIMINATOR, Player.GENERATOR)


class RunningMean(Regularizer):
    """Keeps a mean in a buffer that it assigns anew."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def discriminator(self, step):
        self.mean = 0.9 * self.mean + 0.1 * step.real_output.logits.detach().mean()
        return 0.01 * (step.real_output.logits - self.mean).square()


def test_what_a_regularizer_keeps_stays_finite(tmp_path):
    x = toys.images(24)
    x[8:16] = math.nan
    regularizer = RunningMean()
    gan = toys.gan(regularizers={"mean": regularizer})
    toys.fit(tmp_path, gan, steps=3, data=toys.loader(x))
    assert torch.isfinite(regularizer.mean)
    assert regularizer.mean != 0
    assert gan.latest_metrics["skipped/discriminator"] == 1


def test_many_in_a_row_end_training_without_a_log(tmp_path):
    gan, _ = make(Bad(list(range(4, 200))))
    with pytest.raises(NotFiniteError, match="training ends at step 50; lower"):
        toys.fit(tmp_path, gan, steps=200, log_every_n_steps=0)


def test_an_infinite_loss_with_a_finite_gradient_is_left_out(tmp_path):
    gan, _ = make(Bad([1], math.inf, through_gradient=False))
    toys.fit(tmp_path, gan, steps=3)
    assert gan.latest_metrics["skipped/discriminator"] == 1
    assert is_finite(gan)


def test_nan_in_the_data_reaches_no_statistics(tmp_path):
    x = toys.images(24)
    x[8:16] = math.nan  # the second of three batches
    torch.manual_seed(3)
    net = toys.discriminator()
    net.layers.insert(1, nn.BatchNorm1d(8))
    gan = toys.gan(discriminator=net)
    toys.fit(tmp_path, gan, steps=3, data=toys.loader(x))
    assert is_finite(gan)
    assert gan.latest_metrics["skipped/discriminator"] == 1
    assert int(net.layers[1].num_batches_tracked) > 3


def test_observers_see_finite_numbers_only(tmp_path):
    seen = []

    class Watching(LossThreshold):
        def observe(self, feedback):
            seen.append(feedback.discriminator_loss.item())
            super().observe(feedback)

    gan, _ = make(Bad([1]), alternation=Watching(d_below=0.0, g_above=9.0))
    gan.loss = Breaking(at=2)
    toys.fit(tmp_path, gan, steps=6)
    assert len(seen) == 5
    assert all(map(math.isfinite, seen))


class Breaking(NonSaturatingLoss):
    def __init__(self, at):
        super().__init__()
        self.at, self.calls = at, 0

    def discriminator(self, real_logits, fake_logits):
        self.calls += 1
        return super().discriminator(real_logits, fake_logits) / (0 if self.calls == self.at else 1)


def test_many_in_a_row_end_training_and_say_where_to_go_on(tmp_path):
    gan, _ = make(Bad(list(range(4, 100))), max_skipped=5)
    saving = ModelCheckpoint(tmp_path, every_n_train_steps=3, filename="{step}")
    message = (
        "NaN or infinite losses or gradients: 6 updates of the discriminator in a row were left "
        "out, and the weights are as before them; training ends at step 10 and the last checkpoint "
        "is .*step=9.ckpt; lower a learning rate \\(the generator's, 0.01 and the discriminator's, "
        "0.01\\), or set generator_clip_norm=1 and discriminator_clip_norm=1"
    )
    with pytest.raises(NotFiniteError, match=message):
        toys.fit(
            tmp_path,
            gan,
            steps=100,
            callbacks=[saving],
            enable_checkpointing=True,
            log_every_n_steps=10,
        )
    assert is_finite(gan)


def test_none_lets_training_go_on(tmp_path):
    gan, _ = make(Bad(list(range(4, 100))), max_skipped=None)
    run = toys.fit(tmp_path, gan, steps=20)
    assert run.global_step == 20
    assert gan.latest_metrics["skipped/discriminator"] == 16


def test_a_few_in_a_row_again_and_again_do_not(tmp_path):
    gan, _ = make(Bad([1, 2, 4, 5, 7, 8]), max_skipped=3)
    run = toys.fit(tmp_path, gan, steps=12)
    assert run.global_step == 12


def test_two_steps_on_a_batch_are_both_counted(tmp_path):
    bad = Bad([0, 1], player="generator")
    gan, _ = make(bad, alternation=Alternating(g_steps=2))
    toys.fit(tmp_path, gan, steps=1)
    assert gan.latest_metrics["skipped/generator"] == 2


def test_the_count_is_part_of_the_checkpoint(tmp_path):
    gan, _ = make(Bad([1]))
    run = toys.fit(tmp_path, gan, steps=4)
    run.save_checkpoint(tmp_path / "a.ckpt", weights_only=False)
    again, _ = make(Bad([0]))
    toys.trainer(tmp_path, max_steps=6).fit(again, toys.loader(), ckpt_path=tmp_path / "a.ckpt")
    assert again.latest_metrics["skipped/discriminator"] == 2


@pytest.mark.parametrize("limit", [0, -1, 1.5, True])
def test_a_limit_must_be_a_whole_number(limit):
    with pytest.raises(InputError, match="max_skipped must be a whole number from 1, or null"):
        toys.gan(max_skipped=limit)
