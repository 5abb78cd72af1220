"""Parts and batches that do not fit are refused before any step."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch
import toys
from stepping import record_calls
from torch.nn.functional import softplus

from lightning_gan import (
    AdversarialLoss,
    InputError,
    Player,
)
from lightning_gan.losses.minimax import MinimaxLoss
from lightning_gan.regularizers.r1 import R1Regularizer

G, D = Player.GENERATOR, Player.DISCRIMINATOR


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
