"""Steps replayed as graphs make the updates that steps computed one by one make."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
import toys
from replaying import Replayer
from torch import nn

from lightning_gan import EMA, Alternation, GANModule, Player, Prior, Regularizer
from lightning_gan.alternations.alternating import Alternating
from lightning_gan.alternations.loss_threshold import LossThreshold
from lightning_gan.create import create_discriminator, create_generator, create_regularizer
from lightning_gan.data import RandomImages
from lightning_gan.discriminators.dcgan import DCGANDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.game.graphs import steps
from lightning_gan.game.graphs.recorder import RECORDERS, CudaRecorder
from lightning_gan.generators.dcgan import DCGANGenerator
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.losses.wasserstein import WassersteinLoss
from lightning_gan.lr_schedulers.inverse_time_decay import InverseTimeDecay
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.regularizers.weight_clipping import WeightClippingRegularizer
from lightning_gan.regularizers.wgan_gp import WGANGPRegularizer
from lightning_gan.schedules import Linear

STEPS = 30
GPU = pytest.param("gpu", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))


class Counts:
    """How often steps were recorded and replayed, and where."""

    def __init__(self, accelerator):
        self.accelerator = accelerator
        self.recorded = self.replayed = 0

    def counting(self, make):
        """Return what makes recorders that are counted."""

        def made(device, noise):
            recorder = make(device, noise)
            record = recorder.record

            def counted(work):
                replay, result = record(work)
                self.recorded += 1

                def again():
                    self.replayed += 1
                    replay()

                return again, result

            recorder.record = counted
            return recorder

        return made


@pytest.fixture(params=["cpu", GPU])
def counts(request, monkeypatch):
    found = Counts(request.param)
    kind, make = ("cpu", Replayer) if request.param == "cpu" else ("cuda", CudaRecorder)
    monkeypatch.setitem(RECORDERS, kind, found.counting(make))
    return found


class Simultaneous(Alternation):
    simultaneous = True


class TwiceG(Alternation):
    def phases(self, progress):
        return (Player.DISCRIMINATOR, Player.GENERATOR, Player.GENERATOR)


class Replaces(Regularizer):
    """Keeps a mean in a buffer that it assigns anew; the guard puts it in the old one's place."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def discriminator(self, step):
        self.mean = 0.9 * self.mean + step.real.mean()
        return step.real_output.logits * self.mean


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
    "a mean that is assigned": (
        lambda **options: toys.gan(regularizers={"mean": Replaces()}, **options),
        1,
    ),
    "a prior whose mean is assigned": (
        lambda **options: toys.gan(prior=Wanders(), **options),
        1,
    ),
    "thresholds": (
        lambda **options: toys.gan(alternation=LossThreshold(max_d_steps=3), **options),
        2,
    ),
}


def trained(
    folder, counts, make=toys.gan, max_steps=STEPS, ckpt_path=None, graph=True, fit=None, **parts
):
    torch.manual_seed(0)
    gan = make(graph=graph, **parts)
    torch.manual_seed(1)
    options = {"accelerator": counts.accelerator, "precision": "64-true", "log_every_n_steps": 10}
    data = RandomImages(
        shape=gan.generator.sample_shape, n=64, num_classes=gan.generator.num_classes, batch_size=8
    )
    run = toys.trainer(folder, max_steps=max_steps, **{**options, **(fit or {})})
    run.fit(gan, datamodule=data, ckpt_path=ckpt_path)
    return gan, run


def both(folder, counts, make, data, steps, **options):
    """Train eagerly and with graphs on ``data()``; values are logged at the end."""
    modules = []
    for graph in (False, True):
        torch.manual_seed(0)
        gan = make(graph=graph)
        torch.manual_seed(1)
        options = {"log_every_n_steps": 50, "accelerator": counts.accelerator, **options}
        toys.fit(folder, gan, steps, data(), **options)
        modules.append(gan)
    return modules


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


@pytest.mark.parametrize("name", VARIANTS)
def test_a_graph_makes_the_same_updates(tmp_path, counts, name):
    make, kinds = VARIANTS[name]
    eager, _ = trained(tmp_path, counts, make, graph=False)
    assert counts.recorded == 0
    graphed, run = trained(tmp_path, counts, make)
    assert_alike(eager, graphed)
    assert run.global_step == STEPS
    assert counts.recorded == kinds
    assert counts.replayed >= STEPS - STEPS // 10 - kinds * steps.WARMUP


def test_mixed_precision(tmp_path, counts):
    def data():
        return toys.loader(toys.images(64, (1, 16, 16)))

    eager, graphed = both(tmp_path, counts, convolutional, data, 12, precision="bf16-mixed")
    assert counts.replayed == 9
    for one, other in zip(eager.parameters(), graphed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_smaller_batch_is_a_kind_of_its_own(tmp_path, counts):
    def data():
        return toys.loader(toys.images(20))  # batches of 8, 8 and 4

    eager, graphed = both(tmp_path, counts, toys.gan, data, 24)
    assert_alike(eager, graphed)
    assert counts.recorded == 2
    assert counts.replayed == 24 - 2 * steps.WARMUP


def test_numbers_that_change_between_batches_are_not_repeated(tmp_path, counts):
    """Momentum that a scheduler moves, weights that a schedule moves, until they stay."""

    def cycle(optimizer):
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=40)

    parts = {"generator_lr_scheduler": cycle}
    eager, _ = trained(tmp_path, counts, graph=False, **parts)
    graphed, _ = trained(tmp_path, counts, **parts)
    assert_alike(eager, graphed)
    assert counts.recorded == 0
    schedules = {"loss.real_target": Linear(1.0, 0.8, kimg=0.08)}  # ten batches
    several = [
        trained(tmp_path, counts, graph=graph, schedules=schedules)[0] for graph in (False, True)
    ]
    assert_alike(*several)
    assert counts.recorded == 1
    assert counts.replayed in (15, 16)  # of batches 11 to 30, three eager, two logged


def test_few_kinds_are_captured(tmp_path, counts, monkeypatch):
    monkeypatch.setattr(steps, "MOST", 1)
    parts = {"regularizers": {"r1": R1Regularizer(interval=2)}}
    eager, _ = trained(tmp_path, counts, graph=False, **parts)
    graphed, _ = trained(tmp_path, counts, **parts)
    assert_alike(eager, graphed)
    assert counts.recorded == 1


class NaNs(torch.utils.data.Dataset):
    """Every fifth batch of four holds one."""

    def __len__(self):
        return 80

    def __getitem__(self, index):
        x = toys.images(1, seed=index)[0]
        return x * torch.nan if index % 20 == 19 else x


def test_a_replayed_update_that_is_not_finite_is_left_out(tmp_path, counts):
    def data():
        return torch.utils.data.DataLoader(NaNs(), batch_size=4)

    eager, graphed = both(tmp_path, counts, toys.gan, data, 20, log_every_n_steps=18)
    assert counts.replayed > 10
    for one, other in zip(eager.parameters(), graphed.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    counts_of = [
        [side.skipped.state_dict() for side in gan.session.game.sides] for gan in (eager, graphed)
    ]
    assert counts_of[0] == counts_of[1]
    assert counts_of[1][1]["total"] == 4


def test_a_resumed_graph_goes_on_as_if_nothing_had_happened(tmp_path, counts):
    parts = {"generator_lr_scheduler": decaying}
    whole, _ = trained(tmp_path, counts, conditional, **parts)
    _, first = trained(tmp_path, counts, conditional, max_steps=16, **parts)
    path = tmp_path / "half.ckpt"
    first.save_checkpoint(path, weights_only=False)
    saved = torch.load(path, weights_only=True)
    for state in saved["optimizer_states"]:
        assert type(state["param_groups"][0]["lr"]) is float
        assert not state["param_groups"][0]["capturable"]
    for graph in (True, False):
        second, _ = trained(tmp_path, counts, conditional, ckpt_path=path, graph=graph, **parts)
        for one, other in zip(whole.parameters(), second.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


class Copies(pl.Callback):
    def on_train_batch_end(self, trainer, pl_module, *rest):
        self.copy = copy.deepcopy(pl_module)


def test_a_copy_made_in_training_has_no_graphs(tmp_path, counts):
    copies = Copies()
    gan, _ = trained(tmp_path, counts, max_steps=8, fit={"callbacks": [copies]})
    assert counts.replayed == 5
    assert copies.copy.session is None
    assert gan.session.game.graphs is None
    assert toys.same(toys.weights(gan.generator), toys.weights(copies.copy.generator))


def test_anomalies_are_looked_for_step_by_step(tmp_path, counts):
    trained(tmp_path, counts, max_steps=8, fit={"detect_anomaly": True})
    assert counts.recorded == 0


class Reads(Regularizer):
    def discriminator(self, step):
        return step.real_output.logits * float(step.real.mean() > 0)


class Wanders(Prior):
    """Replaces a buffer, which the guard puts back in place."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def sample(self, n, latent_dim, *, generator, device):
        self.mean = self.mean + 0.1
        drawn = super().sample(n, latent_dim, generator=generator, device=device)
        return drawn + self.mean


class ByImages(Regularizer):
    def discriminator(self, step):
        return step.real_output.logits * step.images_seen


class Outside(nn.Module):
    """No part, and out of the guard's sight."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))


class Reaches(Regularizer):
    """Replaces a buffer of the discriminator's that came after the guard took stock."""

    def discriminator(self, step):
        outside = step.discriminator.outside
        outside.mean = outside.mean + 0.1
        return step.real_output.logits * outside.mean


class Late(pl.Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == 0:
            pl_module.discriminator.outside = Outside()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: {"regularizers": {"odd": Reads()}}, "cannot be captured as a CUDA graph"),
        (
            lambda: {"regularizers": {"odd": Reaches()}},
            "Outside replaces its buffer mean at every step: change it in place",
        ),
        (lambda: {"regularizers": {"odd": ByImages()}}, "images_seen, which a part reads"),
    ],
)
def test_a_part_that_cannot_be_captured_is_told(tmp_path, counts, make, message):
    """After the eager batches, all of which stay."""
    options = {"log_every_n_steps": 50, "accelerator": counts.accelerator, "callbacks": [Late()]}
    gan = toys.gan(graph=True, **make())
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, gan, steps=8, **options)
    assert gan.progress.batches == steps.WARMUP
    assert gan.progress.discriminator_steps == steps.WARMUP
    eager = toys.gan(graph=False, **make())
    toys.fit(tmp_path, eager, steps=8, **options)
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
        ({"generator_compile": True}, {}, "and the generator is compiled: leave"),
    ],
    ids=["optimizer", "fused", "observer", "hook", "compiled"],
)
def test_what_a_graph_cannot_do_is_refused_before_training(
    tmp_path, counts, parts, options, message
):
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, toys.gan(graph=True, **parts), **options, accelerator=counts.accelerator)


def test_a_machine_without_gpu_is_told_so(tmp_path):
    gan = toys.gan(graph=True)
    with pytest.raises(InputError, match="this run computes on cpu: train on a GPU, or set graph"):
        toys.fit(tmp_path, gan)
    assert gan.progress.batches == 0


class Change(pl.Callback):
    """Changes something at the tenth batch."""

    def __init__(self, change):
        self.change = change

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == 10:
            self.change(pl_module)


def freeze(gan):
    next(gan.generator.parameters()).requires_grad_(False)


CHANGES = {
    "a target": lambda gan: setattr(gan.loss, "real_target", 0.5),
    "a weight": lambda gan: setattr(gan.regularizers["r1"], "weight", 3.0),
    "a bound": lambda gan: setattr(gan.generator_settings, "clip_norm", 1e-3),
    "a mode": lambda gan: gan.discriminator.eval(),
    "a parameter": freeze,
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_callback_changes_is_heeded(tmp_path, counts, name):
    def run(graph):
        r1 = {"r1": R1Regularizer()}
        callbacks = [Change(CHANGES[name])]
        fit = {"callbacks": callbacks, "log_every_n_steps": 50}
        return trained(tmp_path, counts, conditional, 20, graph=graph, fit=fit, regularizers=r1)[0]

    eager, graphed = run(False), run(True)
    assert counts.recorded == 2
    for one, other in zip(eager.parameters(), graphed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


class Counting(Regularizer):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def discriminator(self, step):
        self.calls += 1
        return step.real_output.logits.square() * self.calls


def test_a_part_that_counts_is_computed_step_by_step(tmp_path, counts, monkeypatch):
    monkeypatch.setattr(steps, "TOLD_AFTER", 20)
    eager, _ = trained(tmp_path, counts, graph=False, regularizers={"count": Counting()})
    with pytest.warns(UserWarning, match="graph: the first 20 batches were computed step by step"):
        graphed, _ = trained(tmp_path, counts, regularizers={"count": Counting()})
    assert_alike(eager, graphed)
    assert counts.recorded == 0


class WithScale(torch.utils.data.Dataset):
    def __len__(self):
        return 24

    def __getitem__(self, index):
        return toys.images(1, seed=index)[0]


class Scaled(Regularizer):
    def discriminator(self, step):
        return step.real_output.logits.square() * step.y["scale"] * step.y["class"].float().mean()


def test_what_is_no_tensor_in_labels_is_heeded(tmp_path, counts):
    def collate(images):
        y = {"class": torch.ones(len(images)), "scale": float(images[0][0, 0, 0] > 0)}
        return torch.stack(images), y

    def make(graph):
        return toys.gan(graph=graph, regularizers={"scaled": Scaled()})

    def data():
        return torch.utils.data.DataLoader(WithScale(), batch_size=4, collate_fn=collate)

    eager, graphed = both(tmp_path, counts, make, data, 30)
    assert counts.recorded == 2
    for one, other in zip(eager.parameters(), graphed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_a_rare_kind_that_cannot_be_captured_is_computed_step_by_step(tmp_path, counts):
    if counts.accelerator == "gpu" and not CudaRecorder.forgives:
        pytest.skip("before torch 2.14 a capture that failed leaves traces")

    def run(graph):
        rare = Reads(interval=3)
        return trained(tmp_path, counts, graph=graph, regularizers={"rare": rare})[0]

    eager = run(False)
    with pytest.warns(UserWarning, match="Batches of this kind are computed step by step"):
        graphed = run(True)
    assert_alike(eager, graphed)
    assert counts.recorded == 1


def test_a_rare_kind_ends_training_where_a_capture_that_failed_leaves_traces(tmp_path, monkeypatch):
    monkeypatch.setattr(Replayer, "forgives", False)
    monkeypatch.setitem(RECORDERS, "cpu", Replayer)
    gan = toys.gan(graph=True, regularizers={"rare": Reads(interval=3)})
    with pytest.raises(InputError, match="cannot be captured as a CUDA graph"):
        toys.fit(tmp_path, gan, steps=30, log_every_n_steps=50)
    assert gan.progress.batches == 9


class Gradients(pl.Callback):
    found = ()

    def on_train_batch_end(self, trainer, pl_module, *rest):
        self.found = [*self.found, *(p.grad for p in pl_module.parameters())]


def test_nobody_reads_the_gradients_of_another_batch(tmp_path, counts):
    gradients = Gradients()
    trained(tmp_path, counts, fit={"callbacks": [gradients]})
    assert gradients.found
    assert all(gradient is None for gradient in gradients.found)


class Fails(Replayer):
    error = None

    def record(self, work):
        try:
            raise type(self).error
        except RuntimeError:
            raise RuntimeError("operation failed due to a previous error during capture")  # noqa: B904


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.OutOfMemoryError("CUDA"), r"the GPU has not enough: lower the batch size"),
        (RuntimeError("not permitted"), r"\(RuntimeError: not permitted\)"),
    ],
)
def test_a_capture_that_fails_says_why(tmp_path, monkeypatch, error, message):
    monkeypatch.setitem(RECORDERS, "cpu", Fails)
    monkeypatch.setattr(Fails, "error", error)
    gan = toys.gan(graph=True)
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, gan, steps=8, log_every_n_steps=50)
    assert gan.progress.batches == steps.WARMUP
    assert type(gan.trainer.optimizers[0].param_groups[0]["lr"]) is float


class Own(GANModule):
    def on_after_backward(self):
        pass


def hooked(parameters):
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    optimizer.register_step_post_hook(lambda *_: None)
    return optimizer


def test_more_hooks_are_refused(tmp_path, counts):
    fit = {"accelerator": counts.accelerator}
    networks = {"generator": toys.generator(), "discriminator": toys.discriminator()}
    with pytest.raises(InputError, match="and Own has on_after_backward: leave it out"):
        toys.fit(tmp_path, Own(**networks, loss=NonSaturatingLoss(), graph=True), **fit)
    with pytest.raises(InputError, match="hooks of generator_optimizer's steps: leave them out"):
        toys.fit(tmp_path, toys.gan(graph=True, generator_optimizer=hooked), **fit)
    compiled = toys.gan(graph=True)
    compiled.discriminator.compile()
    with pytest.raises(InputError, match="and the discriminator is compiled: leave that out"):
        toys.fit(tmp_path, compiled, **fit)
