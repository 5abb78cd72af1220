"""What a Trainer offers to one optimizer is refused before training, with what a GAN has."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch
import toys
from pytorch_lightning import callbacks as lightning_callbacks
from pytorch_lightning.tuner import Tuner

from lightning_gan import GANModule, InputError
from lightning_gan.callbacks import RoundLimit
from lightning_gan.training.refused import check_synchronised


class Own(GANModule):
    """Somebody's own, with a hook that ours is in."""

    def configure_callbacks(self):
        return [pl.Callback()]


class NeverSetUp(pl.Callback):
    def setup(self, *_):
        raise AssertionError("refused too late")


def refused(tmp_path, message, kind=GANModule, **options):
    parts = toys.gan().arguments()
    gan = kind(**{name: parts[name] for name in ("generator", "discriminator", "loss")})
    listeners = [NeverSetUp(), *options.pop("callbacks", ())]
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, gan, callbacks=listeners, **options)


@pytest.mark.parametrize("kind", [GANModule, Own])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"accumulate_grad_batches": 2},
            r"^Trainer\(accumulate_grad_batches=2\) .* leave it out, .* and set micro_batches=2,",
        ),
        (
            {"gradient_clip_val": 0.5},
            "leave it out, and set generator_clip_norm=0.5 and discriminator_clip_norm=0.5$",
        ),
        (
            {"gradient_clip_val": 2, "gradient_clip_algorithm": "value"},
            "leave it out, and set generator_clip_value=2 and discriminator_clip_value=2$",
        ),
    ],
)
def test_options(tmp_path, kind, options, message):
    refused(tmp_path, message, kind, **options)


def test_clipping_by_nothing_is_no_clipping(tmp_path):
    assert toys.fit(tmp_path, toys.gan(), steps=1, gradient_clip_val=0.0).global_step == 1


class Derived(lightning_callbacks.StochasticWeightAveraging):
    pass


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("StochasticWeightAveraging", {"swa_lrs": 0.1}, r"leave it out and set ema=EMA\("),
        ("WeightAveraging", {}, r"leave it out and set ema=EMA\("),
        ("EMAWeightAveraging", {}, r"leave it out and set ema=EMA\("),
        ("GradientAccumulationScheduler", {"scheduling": {0: 2}}, "set micro_batches"),
        ("BatchSizeFinder", {}, "set the batch_size .* set micro_batches"),
        ("LearningRateFinder", {}, "other rates of generator_optimizer and discriminator_optimi"),
        ("BackboneFinetuning", {}, "set freeze"),
        ("SpikeDetection", {}, "add HealthMonitor of lightning_gan.callbacks"),
    ],
)
def test_callbacks(tmp_path, name, arguments, message):
    callback = getattr(lightning_callbacks, name)(**arguments)
    refused(tmp_path, f"^{name} .*{message}", callbacks=[callback])


def test_a_callback_that_was_made_from_one_of_those(tmp_path):
    refused(tmp_path, r"^Derived averages .* set ema=EMA\(", callbacks=[Derived(swa_lrs=0.1)])


def test_one_of_the_same_name_that_is_not_lightnings(tmp_path):
    class BatchSizeFinder(pl.Callback):
        pass

    assert toys.fit(tmp_path, toys.gan(), steps=1, callbacks=[BatchSizeFinder()]).global_step == 1


def test_the_tuner(tmp_path):
    tuner = Tuner(toys.trainer(tmp_path, max_steps=2))
    with pytest.raises(InputError, match="^BatchSizeFinder .* set micro_batches"):
        tuner.scale_batch_size(toys.gan(), train_dataloaders=toys.loader())
    with pytest.raises(InputError, match="^LearningRateFinder reads one learning rate"):
        tuner.lr_find(toys.gan(), train_dataloaders=toys.loader())


def test_a_module_that_is_compiled_whole(tmp_path):
    gan = toys.gan()
    with pytest.raises(InputError, match="set generator_compile=True and discriminator_compile=T"):
        toys.fit(tmp_path, torch.compile(gan))
    assert toys.fit(tmp_path, gan, steps=1).global_step == 1  # which is what it was


def test_what_only_training_cannot_have(tmp_path):
    run = toys.trainer(tmp_path, gradient_clip_val=0.5, callbacks=[RoundLimit(max_rounds=1)])
    assert run.validate(toys.gan(), toys.loader(), verbose=False)


def test_the_callbacks_of_a_module_without_a_trainer():
    assert [type(each).__name__ for each in toys.gan().configure_callbacks()] == ["Session"]


@pytest.mark.parametrize("text", ["abc", "-1", "1.5", "4294967296"])
def test_a_seed_of_the_environment_that_is_none(tmp_path, monkeypatch, text):
    monkeypatch.setenv("PL_GLOBAL_SEED", text)
    message = f"PL_GLOBAL_SEED is '{text}'; expected a whole number from 0 to 4294967295, or unset"
    refused(tmp_path, message)
    monkeypatch.setenv("PL_GLOBAL_SEED", "4294967295")
    assert toys.fit(tmp_path, toys.gan(), steps=1).global_step == 1


def test_batch_norm_over_processes_of_a_cpu():
    gan = toys.gan()
    check_synchronised(gan, world_size=2)
    gan.generator.layers.append(torch.nn.SyncBatchNorm(16))
    check_synchronised(gan, world_size=1)
    with pytest.raises(InputError, match=r"^Trainer\(sync_batchnorm=True\) .* leave it out, or"):
        check_synchronised(gan, world_size=2)
