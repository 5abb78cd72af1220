"""Steps replayed as graphs make the updates that steps computed one by one make."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
import toys
from replaying import Replayer

from lightning_gan import EMA, Alternation, GANModule, Player, Regularizer, graphs
from lightning_gan.alternations.alternating import Alternating
from lightning_gan.alternations.loss_threshold import LossThreshold
from lightning_gan.create import create_discriminator, create_generator, create_regularizer
from lightning_gan.data import RandomImages
from lightning_gan.discriminators.dcgan import DCGANDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.dcgan import DCGANGenerator
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.losses.wasserstein import WassersteinLoss
from lightning_gan.lr_schedulers import InverseTimeDecay
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.regularizers.weight_clipping import WeightClippingRegularizer
from lightning_gan.regularizers.wgan_gp import WGANGPRegularizer
from lightning_gan.schedules import Linear

STEPS = 30
GPU = pytest.param("gpu", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))
on_each_device = pytest.mark.parametrize("accelerator", ["cpu", GPU])


@pytest.fixture(autouse=True)
def replayer(monkeypatch):
    monkeypatch.setitem(graphs.RECORDERS, "cpu", Replayer)
    monkeypatch.setattr(Replayer, "recorded", 0)
    monkeypatch.setattr(Replayer, "replayed", 0)
    return Replayer


class Simultaneous(Alternation):
    simultaneous = True


class TwiceG(Alternation):
    def phases(self, progress):
        return (Player.DISCRIMINATOR, Player.GENERATOR, Player.GENERATOR)


def decaying(optimizer):
    return InverseTimeDecay(optimizer, decay=0.1)


def conditional(**parts):
    networks = {"generator": toys.generator(num_classes=3)}
    networks["discriminator"] = toys.discriminator(num_classes=3, dropout=0.3)
    return toys.gan(**networks, **parts)


def registered(name, regularizers, **options):
    """A system of the tutorials, small."""
    small = {"sample_shape": (1, 28, 28), "num_classes": 3, "base_channels": 4}
    return GANModule(
        generator=create_generator(name, latent_dim=3, **small),
        discriminator=create_discriminator(name, **small),
        loss=NonSaturatingLoss(),
        regularizers={key: create_regularizer(key, **value) for key, value in regularizers.items()},
        **options,
    )


def convolutional(**parts):
    return GANModule(
        generator=DCGANGenerator((1, 16, 16), latent_dim=3, base_channels=4),
        discriminator=DCGANDiscriminator((1, 16, 16), base_channels=4),
        loss=NonSaturatingLoss(),
        **parts,
    )


# Each with the number of its kinds of batches.
VARIANTS = {
    "dense": (toys.gan, 1),
    "batch norm and averaging": (
        lambda **options: convolutional(ema=EMA(0.01, buffers="average"), **options),
        1,
    ),
    "labels and dropout": (lambda **options: conditional(fake_labels="uniform", **options), 1),
    "auxiliary classifier": (
        lambda **options: registered("acgan", {"auxiliary_classifier": {}}, **options),
        1,
    ),
    "dropout and labels in convolutions": (lambda **options: registered("cgan", {}, **options), 1),
    "decaying rates, G twice": (
        lambda **options: toys.gan(
            alternation=TwiceG(),
            generator_lr_scheduler=decaying,
            discriminator_lr_scheduler=decaying,
            **options,
        ),
        1,
    ),
    "R1 every other step": (
        lambda **options: toys.gan(regularizers={"r1": R1Regularizer(interval=2)}, **options),
        2,
    ),
    "R1 with batch norm": (
        lambda **options: convolutional(regularizers={"r1": R1Regularizer()}, **options),
        1,
    ),
    "penalty, D twice, in pieces": (
        lambda **options: toys.gan(
            loss=WassersteinLoss(),
            regularizers={"wgan_gp": WGANGPRegularizer()},
            alternation=Alternating(d_steps=2),
            micro_batches=2,
            **options,
        ),
        2,
    ),
    "clipping": (
        lambda **options: toys.gan(
            regularizers={"weight_clipping": WeightClippingRegularizer(0.1)},
            generator_clip_norm=0.1,
            discriminator_clip_value=0.01,
            **options,
        ),
        1,
    ),
    "fresh fakes for G": (
        lambda **options: toys.gan(generator_batch=2, share_fakes=False, **options),
        1,
    ),
    "simultaneous": (lambda **options: toys.gan(alternation=Simultaneous(), **options), 1),
    "thresholds": (
        lambda **options: toys.gan(alternation=LossThreshold(max_d_steps=3), **options),
        2,
    ),
}


def trained(folder, make=toys.gan, steps=STEPS, ckpt_path=None, graph=True, fit=None, **parts):
    torch.manual_seed(0)
    gan = make(graph=graph, **parts)
    torch.manual_seed(1)
    options = {"accelerator": "cpu", "precision": "64-true", "log_every_n_steps": 10, **(fit or {})}
    data = RandomImages(
        shape=gan.generator.sample_shape, n=64, num_classes=gan.generator.num_classes, batch_size=8
    )
    run = toys.trainer(folder, max_steps=steps, **options)
    run.fit(gan, datamodule=data, ckpt_path=ckpt_path)
    return gan, run


def assert_alike(ours, theirs):
    """Of two modules, weights, buffers and whatever else a checkpoint holds of them agree."""
    for (name, one), other in zip(
        ours.state_dict().items(), theirs.state_dict().values(), strict=True
    ):
        if isinstance(one, torch.Tensor):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8, msg=name)
        else:
            assert one == other
    assert list(ours.latest_metrics) == list(theirs.latest_metrics)
    for name, value in ours.latest_metrics.items():
        torch.testing.assert_close(value, theirs.latest_metrics[name], rtol=1e-5, atol=1e-7)


@on_each_device
@pytest.mark.parametrize("name", VARIANTS)
def test_a_graph_makes_the_same_updates(tmp_path, replayer, accelerator, name):
    make, kinds = VARIANTS[name]
    fit = {"accelerator": accelerator}
    eager, _ = trained(tmp_path, make, graph=False, fit=fit)
    assert replayer.recorded == 0
    graphed, run = trained(tmp_path, make, fit=fit)
    assert_alike(eager, graphed)
    assert run.global_step == STEPS
    if accelerator == "cpu":
        assert replayer.recorded == kinds
        assert replayer.replayed >= STEPS - STEPS // 10 - kinds * graphs.WARMUP


def test_mixed_precision(tmp_path, replayer):
    fit = {"precision": "bf16-mixed"}
    x = toys.images(64, (1, 16, 16))

    def run(graph):
        torch.manual_seed(0)
        gan = convolutional(graph=graph)
        torch.manual_seed(1)
        toys.fit(tmp_path, gan, steps=12, data=toys.loader(x), log_every_n_steps=50, **fit)
        return gan

    eager, graphed = run(False), run(True)
    assert replayer.replayed == 9
    for one, other in zip(eager.parameters(), graphed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_smaller_batch_is_a_kind_of_its_own(tmp_path, replayer):
    def run(graph):
        torch.manual_seed(0)
        gan = toys.gan(graph=graph)
        torch.manual_seed(1)
        data = toys.loader(toys.images(20))  # batches of 8, 8 and 4
        toys.fit(tmp_path, gan, steps=24, data=data, log_every_n_steps=50)
        return gan

    eager, graphed = run(False), run(True)
    assert_alike(eager, graphed)
    assert replayer.recorded == 2
    assert replayer.replayed == 24 - 2 * graphs.WARMUP


def test_numbers_that_change_between_batches_are_not_repeated(tmp_path, replayer):
    """Momentum that a scheduler moves, weights that a schedule moves, until they stay."""

    def cycle(optimizer):
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=40)

    parts = {"generator_lr_scheduler": cycle}
    eager, _ = trained(tmp_path, graph=False, **parts)
    graphed, _ = trained(tmp_path, **parts)
    assert_alike(eager, graphed)
    assert replayer.recorded == 0
    schedules = {"loss.real_target": Linear(1.0, 0.8, kimg=0.08)}  # ten batches
    several = [trained(tmp_path, graph=graph, schedules=schedules)[0] for graph in (False, True)]
    assert_alike(*several)
    assert replayer.recorded == 1
    assert replayer.replayed in (15, 16)  # of batches 11 to 30, three eager, two logged


def test_few_kinds_are_captured(tmp_path, replayer, monkeypatch):
    monkeypatch.setattr(graphs, "MOST", 1)
    parts = {"regularizers": {"r1": R1Regularizer(interval=2)}}
    eager, _ = trained(tmp_path, graph=False, **parts)
    graphed, _ = trained(tmp_path, **parts)
    assert_alike(eager, graphed)
    assert replayer.recorded == 1


class NaNs(torch.utils.data.Dataset):
    """Every fifth batch of four holds one."""

    def __len__(self):
        return 80

    def __getitem__(self, index):
        x = toys.images(1, seed=index)[0]
        return x * torch.nan if index % 20 == 19 else x


def test_a_replayed_update_that_is_not_finite_is_left_out(tmp_path, replayer):
    def run(graph):
        torch.manual_seed(0)
        gan = toys.gan(graph=graph)
        torch.manual_seed(1)
        data = torch.utils.data.DataLoader(NaNs(), batch_size=4)
        toys.fit(tmp_path, gan, steps=20, data=data, log_every_n_steps=18)
        return gan

    eager, graphed = run(False), run(True)
    assert replayer.replayed > 10
    for one, other in zip(eager.parameters(), graphed.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    assert graphed._guard.state_dict() == eager._guard.state_dict()
    assert graphed._guard.state_dict()["skipped"]["discriminator"] == 4


@on_each_device
def test_a_resumed_graph_goes_on_as_if_nothing_had_happened(tmp_path, replayer, accelerator):
    parts = {"generator_lr_scheduler": decaying}
    fit = {"accelerator": accelerator}
    whole, _ = trained(tmp_path, conditional, fit=fit, **parts)
    _, first = trained(tmp_path, conditional, steps=16, fit=fit, **parts)
    path = tmp_path / "half.ckpt"
    first.save_checkpoint(path, weights_only=False)
    saved = torch.load(path, weights_only=True)
    for state in saved["optimizer_states"]:
        assert type(state["param_groups"][0]["lr"]) is float
        assert not state["param_groups"][0]["capturable"]
    for graph in (True, False):
        second, _ = trained(tmp_path, conditional, ckpt_path=path, graph=graph, fit=fit, **parts)
        for one, other in zip(whole.parameters(), second.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


class Copies(pl.Callback):
    def on_train_batch_end(self, trainer, pl_module, *rest):
        self.copy = copy.deepcopy(pl_module)


def test_a_copy_made_in_training_has_no_graphs(tmp_path, replayer):
    copies = Copies()
    gan, _ = trained(tmp_path, steps=8, fit={"callbacks": [copies]})
    assert replayer.replayed == 5
    assert copies.copy._graphs is None
    assert gan._graphs is None
    assert toys.same(toys.weights(gan.generator), toys.weights(copies.copy.generator))


def test_anomalies_are_looked_for_step_by_step(tmp_path, replayer):
    trained(tmp_path, steps=8, fit={"detect_anomaly": True})
    assert replayer.recorded == 0


class Reads(Regularizer):
    def discriminator(self, step):
        return step.real_output.logits * float(step.real.mean() > 0)


class Replaces(Regularizer):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def discriminator(self, step):
        self.mean = 0.9 * self.mean + step.real.mean()
        return step.real_output.logits * self.mean


class ByImages(Regularizer):
    def discriminator(self, step):
        return step.real_output.logits * step.images_seen


@pytest.mark.parametrize(
    ("regularizer", "message"),
    [
        (Reads, "cannot be captured as a CUDA graph"),
        (Replaces, "Replaces replaces its buffer mean at every step: change it in place"),
        (ByImages, "images_seen, which a part reads"),
    ],
)
def test_a_part_that_cannot_be_captured_is_told(tmp_path, regularizer, message):
    """After the eager batches, all of which stay."""
    gan = toys.gan(graph=True, regularizers={"odd": regularizer()})
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, gan, steps=8, log_every_n_steps=50)
    assert gan.progress.batches == graphs.WARMUP
    assert gan.progress.discriminator_steps == graphs.WARMUP
    eager = toys.gan(graph=False, regularizers={"odd": regularizer()})
    toys.fit(tmp_path, eager, steps=8, log_every_n_steps=50)
    assert eager.progress.batches == 8


class Observing(Regularizer):
    observes = True


class Hooked(pl.Callback):
    def on_after_backward(self, trainer, pl_module):
        pass


ADAM = partial(torch.optim.Adam, lr=1e-3, foreach=False)


@pytest.mark.parametrize(
    ("parts", "options", "message"),
    [
        ({"generator_optimizer": torch.optim.RMSprop}, {}, "generator_optimizer is RMSprop: "),
        ({"discriminator_optimizer": ADAM}, {}, "discriminator_optimizer is Adam, not fused: "),
        ({"regularizers": {"ada": Observing()}}, {}, r"and ada \(Observing\) changes by what"),
        ({}, {"callbacks": [Hooked()]}, "and Hooked has on_after_backward: leave it out"),
        ({"generator_compile": True}, {}, "graph captures networks as they are"),
    ],
    ids=["optimizer", "fused", "observer", "hook", "compiled"],
)
def test_what_a_graph_cannot_do_is_refused_before_training(tmp_path, parts, options, message):
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, toys.gan(graph=True, **parts), **options)


def test_a_machine_without_gpu_is_told_so(tmp_path, monkeypatch):
    monkeypatch.delitem(graphs.RECORDERS, "cpu")
    gan = toys.gan(graph=True)
    with pytest.raises(InputError, match=r"this run computes on cpu: set trainer\.accelerator=gpu"):
        toys.fit(tmp_path, gan)
    assert gan.progress.batches == 0
