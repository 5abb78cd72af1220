"""Sampling, prediction, validation and the averaged generator."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import toys
from torch.nn.functional import softplus

from lightning_gan import EMA, InputError
from lightning_gan.game.statistics import reestimate_statistics
from lightning_gan.priors.normal import NormalPrior
from lightning_gan.priors.uniform import UniformPrior


def random_states():
    return torch.get_rng_state()


def test_sample_leaves_no_trace(tmp_path):
    gan = toys.gan(discriminator=toys.discriminator(dropout=0.5))
    gan.generator.layers.insert(1, torch.nn.BatchNorm1d(8))
    before, modes = toys.weights(gan.generator), [m.training for m in gan.modules()]
    state = random_states()
    first, second = gan.sample(3, seed=5), gan.sample(3, seed=5)
    assert torch.equal(state, random_states())
    assert modes == [m.training for m in gan.modules()]
    assert toys.same(before, toys.weights(gan.generator))
    assert torch.equal(first, second)
    assert not torch.equal(gan.sample(3), gan.sample(3))
    assert first.shape == (3, *toys.SHAPE)
    assert not first.requires_grad
    assert not first.is_inference()


def test_sample_is_made_in_chunks_that_do_not_show():
    gan = toys.gan()
    z = torch.randn(600, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(gan.sample(600, z=z), gan(z).detach())
    assert gan.sample(0).shape == (0, *toys.SHAPE)


def test_samples_of_given_latents():
    gan = toys.gan(generator=toys.generator(num_classes=2))
    z = torch.randn(1, 3).repeat(2, 1)
    zero, one = gan.sample(2, labels=[0, 1], z=z)
    assert not torch.equal(zero, one)
    torch.testing.assert_close(one, gan.sample(1, labels=1, z=z[:1])[0])
    with pytest.raises(InputError, match=r"latents z must have shape \(3, 3\), got \(2, 3\)"):
        gan.sample(3, labels=0, z=z)


def test_labels_of_samples():
    gan = toys.gan(generator=toys.generator(num_classes=3))
    one = gan.sample(2, labels=1, seed=0)
    assert torch.equal(one, gan.sample(2, labels=[1, 1], seed=0))
    assert torch.equal(one, gan.sample(2, labels=torch.tensor([1, 1]), seed=0))
    assert not torch.equal(one, gan.sample(2, labels=2, seed=0))
    drawn = gan.sample(2, seed=0)
    assert drawn.shape == one.shape
    with pytest.raises(InputError, match=r"must lie in 0..2 .* got 3..3"):
        gan.sample(2, labels=3)
    with pytest.raises(InputError, match=r"int64 of shape \(2,\)"):
        gan.sample(2, labels=[0, 1, 2])
    with pytest.raises(InputError, match="generator is not conditional"):
        toys.gan().sample(2, labels=1)
    with pytest.raises(InputError, match="n must be a whole number from 0, got -1"):
        gan.sample(-1)
    with pytest.raises(InputError, match="n must be a whole number from 0, got 2.0"):
        gan.sample(2.0)
    assert torch.equal(one, gan.sample(2, labels=np.array([1, 1]), seed=0))
    assert torch.equal(one, gan.sample(2, labels=[np.int64(1)] * 2, seed=0))
    assert gan.sample(0, labels=[]).shape == gan.sample(0, labels=1).shape == (0, *toys.SHAPE)


def test_mixed_precision_ends_in_the_networks_own():
    gan = toys.gan()
    full = gan.sample(8, seed=0)
    mixed = gan.sample(8, seed=0, autocast=torch.bfloat16)
    assert mixed.dtype == full.dtype == torch.float32
    assert not torch.equal(mixed, full)
    torch.testing.assert_close(mixed, full, rtol=0.05, atol=0.05)
    with torch.autocast("cpu", torch.bfloat16):  # the caller's own
        assert torch.equal(gan.sample(8, seed=0), mixed)
    with pytest.raises(InputError, match=r"autocast must be torch.bfloat16 or .* got 'bf16'"):
        gan.sample(8, autocast="bf16")


def test_predict_yields_samples_with_the_labels_of_the_batch(tmp_path):
    gan = toys.gan(generator=toys.generator(num_classes=3))
    y = torch.arange(32) % 3
    run = toys.trainer(tmp_path)
    batches = run.predict(gan, toys.loader(y=y))
    assert [batch.shape for batch in batches] == [(8, *toys.SHAPE)] * 4
    again = toys.trainer(tmp_path).predict(gan, toys.loader(y=y))
    assert all(torch.equal(a, b) for a, b in zip(batches, again, strict=True))
    assert not torch.equal(batches[0], batches[1])


def test_validation_logs_both_losses_and_leaves_training_alone(tmp_path):
    def train(validate):
        torch.manual_seed(0)
        gan = toys.gan(discriminator=toys.discriminator(dropout=0.3))
        torch.manual_seed(1)
        run = toys.trainer(tmp_path, max_steps=8, num_sanity_val_steps=1)
        # torch's DataLoader draws from the global state whenever it begins
        run.fit(gan, toys.loader(), toys.loader(toys.images(seed=1)) if validate else None)
        return gan, run

    gan, run = train(validate=True)
    other, _ = train(validate=False)
    assert toys.same(toys.weights(gan.generator), toys.weights(other.generator))
    metrics = run.callback_metrics
    assert {"val/loss/discriminator", "val/loss/generator"} <= set(metrics)

    results = toys.trainer(tmp_path).test(gan, toys.loader(toys.images(seed=1)), verbose=False)
    assert set(results[0]) == {"test/loss/discriminator", "test/loss/generator"}
    assert results[0]["test/loss/generator"] == pytest.approx(
        metrics["val/loss/generator"].item(), rel=1e-5
    )


def test_several_loaders_are_evaluated_and_predicted_apart(tmp_path):
    gan = toys.gan()
    results = toys.trainer(tmp_path).test(gan, [toys.loader(), toys.loader()], verbose=False)
    assert len(results) == 2
    first, second = toys.trainer(tmp_path).predict(gan, [toys.loader(), toys.loader()])
    assert not torch.equal(first[0], second[0])


def test_validation_refuses_data_that_do_not_fit_before_training(tmp_path):
    run = toys.trainer(tmp_path, max_steps=2, num_sanity_val_steps=1)
    with pytest.raises(InputError, match=r"the data yield samples of shape \(1, 5, 5\)"):
        run.fit(toys.gan(), toys.loader(), toys.loader(toys.images(shape=(1, 5, 5))))


def test_validation_losses_are_those_of_the_sampling_generator(tmp_path):
    gan = toys.gan(ema=EMA(half_life_kimg=1.0))
    toys.fit(tmp_path, gan, steps=2)
    constant = torch.zeros(8, *toys.SHAPE)
    gan.generator_ema.forward = lambda z, y=None: constant[: len(z)]
    results = toys.trainer(tmp_path).validate(gan, toys.loader(), verbose=False)
    gan.discriminator.eval()
    expected = softplus(-gan.discriminator(constant)).mean().item()
    assert results[0]["val/loss/generator"] == pytest.approx(expected, rel=1e-5)


# The averaged generator ---------------------------------------------------------------------------


def test_decay_halves_after_the_half_life():
    ema = EMA(half_life_kimg=2.0, ramp_up=None)
    assert ema.decay(images=10**6, batch=2000) == pytest.approx(0.5)
    assert ema.decay(images=10**6, batch=1000) ** 2 == pytest.approx(0.5)
    assert EMA(half_life_kimg=0.0).decay(100, 10) == 0.0
    assert EMA(half_life_kimg=9.0, ramp_up=0.1).decay(1000, 100) == pytest.approx(0.5)


def with_batch_norm():
    net = toys.generator()
    net.layers.insert(1, torch.nn.BatchNorm1d(8))
    return net


@pytest.mark.parametrize("rule", ["copy", "average"])
def test_buffers_follow_their_rule(rule):
    source, averaged = with_batch_norm(), with_batch_norm()
    source.layers[1].running_mean.fill_(1.0)
    source.layers[1].num_batches_tracked.fill_(7)
    EMA(half_life_kimg=0.01, ramp_up=None, buffers=rule).update(averaged, source, 100, 10)
    expected = 1.0 if rule == "copy" else 0.5
    assert averaged.layers[1].running_mean[0].item() == pytest.approx(expected)
    assert averaged.layers[1].num_batches_tracked.item() == 7


def test_statistics_are_reestimated_from_generated_batches():
    net = with_batch_norm()
    z = torch.randn(64, 3)
    net.train()
    reestimate_statistics(net, lambda: (z, None), batches=3)
    hidden = net.layers[0](z)
    torch.testing.assert_close(net.layers[1].running_mean, hidden.mean(0))
    torch.testing.assert_close(net.layers[1].running_var, hidden.var(0))
    assert net.layers[1].momentum == 0.1
    assert all(layer.training for layer in net.modules())


def test_sampling_reestimates_where_asked_and_training_does_not_notice(tmp_path):
    gan = toys.gan(generator=with_batch_norm(), ema=EMA(buffers="reestimate"))
    toys.fit(tmp_path, gan, steps=2)
    copied = gan.generator_ema.layers[1].running_mean.clone()
    before = toys.weights(gan.generator)
    first = gan.sample(4, seed=0)
    assert not torch.equal(copied, gan.generator_ema.layers[1].running_mean)
    assert torch.equal(first, gan.sample(4, seed=0))
    assert toys.same(before, toys.weights(gan.generator))


def test_the_average_starts_from_the_weights_that_training_starts_from(tmp_path):
    gan = toys.gan(ema=EMA(half_life_kimg=1e9, ramp_up=None))
    with torch.no_grad():
        gan.generator.layers[0].weight.fill_(0.25)
    toys.fit(tmp_path, gan, steps=1)
    assert gan.generator_ema.layers[0].weight.mean().item() == pytest.approx(0.25)


def test_the_averaged_generator_is_never_trained(tmp_path):
    gan = toys.gan(ema=EMA())
    modes = []
    gan.generator.register_forward_pre_hook(lambda *_: modes.append(gan.generator_ema.training))
    toys.fit(tmp_path, gan, steps=2)
    assert not any(parameter.requires_grad for parameter in gan.generator_ema.parameters())
    assert modes == [False, False]
    assert not gan.train().generator_ema.training


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"half_life_kimg": -1.0}, "must not be negative, got -1.0"),
        ({"ramp_up": -0.1}, "must not be negative"),
        ({"buffers": "keep"}, "buffers must be one of copy, average, reestimate, got 'keep'"),
    ],
)
def test_bad_averages_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        EMA(**arguments)


# The log ------------------------------------------------------------------------------------------


def test_losses_are_logged_every_n_steps_as_means(tmp_path):
    seen = []

    class Watch(pl.Callback):
        def on_train_batch_end(self, trainer, module, *_):
            seen.append(dict(module.latest_metrics))

    torch.manual_seed(0)
    toys.fit(tmp_path, toys.gan(), steps=7, callbacks=[Watch()])
    values = [step["loss/discriminator"].item() for step in seen]

    torch.manual_seed(0)
    logger = pl.loggers.CSVLogger(tmp_path, name="", version="run")
    gan = toys.gan()
    run = toys.fit(tmp_path, gan, steps=7, logger=logger, log_every_n_steps=3)
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [2, 5, 6]
    means = [sum(values[:3]) / 3, sum(values[3:6]) / 3, values[6]]
    assert [float(row["loss/discriminator"]) for row in rows] == pytest.approx(means, rel=1e-5)
    assert float(rows[0]["progress/images"]) == 24
    assert gan.latest_metrics_step == 7
    assert run.callback_metrics["loss/discriminator"].item() == pytest.approx(values[6], rel=1e-5)


def test_means_are_means():
    from lightning_gan.training.meter import Meter

    meter = Meter()
    for value in (1.0, 2.0, 6.0):
        meter.add({"a": torch.tensor(value)})
    meter.add({"b": torch.tensor(5.0)})
    other = Meter()
    other.load_state_dict(meter.state_dict(), torch.device("cpu"))
    assert {key: value.item() for key, value in meter.flush().items()} == {"a": 3.0, "b": 5.0}
    assert meter.flush() == {}
    assert other.flush()["a"].item() == 3.0


@pytest.mark.parametrize("prior", [NormalPrior(), UniformPrior()])
def test_fewer_samples_are_the_beginning_of_more(prior):
    gan = toys.gan(prior=prior, generator=toys.generator(num_classes=3))
    many = gan.sample(600, seed=4)
    for n in (0, 1, 5, 16, 17, 256, 300):
        torch.testing.assert_close(gan.sample(n, seed=4), many[:n])
    assert not torch.equal(gan.sample(5, seed=5), many[:5])
