"""A subclass may override any hook of LightningModule, without super(), and trains all the same.

The hooks are found by inspection: a release of Lightning that has a new one is tested, too.
"""

from __future__ import annotations

import copy
import inspect
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
import toys
from pytorch_lightning.core.hooks import CheckpointHooks, DataHooks, ModelHooks
from torch.optim.lr_scheduler import StepLR

from lightning_gan import EMA, GANModule, InputError
from lightning_gan.callbacks.graceful_stop import GracefulStop
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.weight_clipping import WeightClippingRegularizer
from lightning_gan.training.seams.hooks import HOOKS
from lightning_gan.training.session import Session

# Of LightningModule: what others call and nobody overrides.
TOOLS = {
    "all_gather",
    "clip_gradients",
    "freeze",
    "load_from_checkpoint",
    "log",
    "log_dict",
    "lr_schedulers",
    "manual_backward",
    "optimizers",
    "print",
    "to_onnx",
    "to_tensorrt",
    "to_torchscript",
    "toggle_optimizer",
    "toggled_optimizer",
    "unfreeze",
    "untoggle_optimizer",
}
# What Lightning never calls in a fit, or not in manual optimization.
NOT_IN_A_FIT = {
    "configure_gradient_clipping",
    "forward",
    "lr_scheduler_step",
    "on_before_zero_grad",
    "optimizer_step",
    "optimizer_zero_grad",
}


def hooks():
    """Return the names of all hooks of a LightningModule."""
    found = {
        name
        for owner in (ModelHooks, DataHooks, CheckpointHooks, pl.LightningModule)
        for name, value in vars(owner).items()
        if name[0] != "_" and inspect.isroutine(value)
    }
    return sorted(found - TOOLS)


# What the contract of a hook asks for; all others may do nothing.


def optimizers(gan):
    networks = (gan.generator, gan.discriminator)
    made = [torch.optim.SGD(each.parameters(), 0.5, momentum=0.9) for each in networks]
    return made, [{"scheduler": StepLR(each, 1, 0.5), "interval": "step"} for each in made]


NEEDED = {
    "backward": lambda gan, loss, *rest, **options: loss.backward(*rest, **options),
    "configure_optimizers": optimizers,
    "forward": lambda gan, z, y=None: gan.generator(z, y),
    "on_after_batch_transfer": lambda gan, batch, index: batch,
    "on_before_batch_transfer": lambda gan, batch, index: batch,
    "on_validation_model_eval": lambda gan: gan.eval(),
    "on_validation_model_train": lambda gan: gan.train(),
    "train_dataloader": lambda gan: data(),
    "training_step": lambda gan, batch, index: gan.session.train_batch(batch),
    "transfer_batch_to_device": lambda gan, batch, device, index: batch,
    "val_dataloader": lambda gan: held_out(),
}


def data():
    """Two batches a turn, the second of them NaN."""
    x = toys.images(16)
    x[8:] = torch.nan
    return toys.loader(x)


def held_out():
    return toys.loader(toys.images(8, seed=1))


def parts(**changes):
    """Return the parts of a GAN whose training leaves no corner out."""
    torch.manual_seed(0)
    generator = toys.generator()
    generator.layers.insert(1, torch.nn.BatchNorm1d(8))
    optimizer = partial(torch.optim.SGD, lr=0.5, momentum=0.9, fused=False)
    scheduler = partial(StepLR, step_size=1, gamma=0.5)
    options = {
        "generator": generator,
        "discriminator": toys.discriminator(dropout=0.2),
        "loss": NonSaturatingLoss(),
        "regularizers": {"clipping": WeightClippingRegularizer(0.2)},
        "generator_optimizer": optimizer,
        "discriminator_optimizer": optimizer,
        "generator_lr_scheduler": scheduler,
        "discriminator_lr_scheduler": scheduler,
        "generator_clip_norm": 0.01,
        "discriminator_clip_norm": 0.1,
        "ema": EMA(half_life_kimg=0.01, ramp_up=None),
    }
    return {**options, **changes}


def trained(folder, cls=GANModule, **changes):
    """Train a module of a class for two steps, and another one from its checkpoint on for one."""
    loaders = {
        f"{name}_dataloaders" if name == "val" else "train_dataloaders": make()
        for name, make in (("train", data), ("val", held_out))
        if getattr(cls, f"{name}_dataloader") is getattr(pl.LightningModule, f"{name}_dataloader")
    }
    path = None
    for steps in (2, 3):
        gan = cls(**parts(**changes))
        torch.manual_seed(steps)  # a resumed run is somewhere else
        run = toys.trainer(folder, max_steps=steps)
        run.fit(gan, **loaders, ckpt_path=path)
        path = folder / "last.ckpt"
        run.save_checkpoint(path, weights_only=False)
    return gan


def states(gan):
    """Return all that training changes, and what it told."""
    tensors = {k: v for k, v in gan.state_dict().items() if isinstance(v, torch.Tensor)}
    return {**tensors, **gan.latest_metrics}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What GANModule itself makes of the parts."""
    return trained(tmp_path_factory.mktemp("plain"))


def overriding(name, called):
    """Return a subclass of GANModule that overrides a hook without super()."""

    def hook(self, *arguments, **options):
        called.append(name)
        needed = NEEDED.get(name)
        return None if needed is None else needed(self, *arguments, **options)

    return type("Own", (GANModule,), {name: hook})


@pytest.mark.filterwarnings(
    "ignore:.*configure_sharded_model",  # Lightning has another for it
    "ignore:Found . module.* in eval mode",  # of the averaged generator, after gan.train()
)
@pytest.mark.parametrize("name", hooks())
def test_a_hook_overridden_without_super_costs_nothing_of_ours(tmp_path, plain, name):
    called = []
    gan = trained(tmp_path, overriding(name, called))
    elsewhere = name in NOT_IN_A_FIT or {"test", "predict"} & set(name.split("_"))
    assert bool(called) != bool(elsewhere)
    ours, theirs = states(plain), states(gan)
    assert list(ours) == list(theirs)
    for key, value in ours.items():
        assert torch.equal(value, theirs[key]), key
    assert gan.progress == plain.progress
    assert gan.latest_metrics["skipped/discriminator"] == 1


def test_there_are_hooks():
    assert {"on_before_optimizer_step", "setup", "on_save_checkpoint", "backward"} <= set(hooks())


@pytest.mark.parametrize(
    "changes",
    [
        {"generator_clip_norm": None},
        {"discriminator_clip_norm": None},
        {"generator_lr_scheduler": None},
        {"regularizers": None},
        {"ema": EMA(half_life_kimg=0.02, ramp_up=None)},
    ],
    ids=str,
)
def test_what_a_hook_could_cost_would_be_seen(tmp_path, plain, changes):
    ours, theirs = states(plain), states(trained(tmp_path, **changes))
    weights = [name for name, _ in plain.named_parameters()]
    assert any(not torch.equal(ours[name], theirs[name]) for name in weights)


class Mixin:
    """Somebody's hooks, that know nothing of GANs."""

    heard = ()

    def configure_callbacks(self):
        return pl.callbacks.Timer()

    def on_save_checkpoint(self, checkpoint):
        self.heard = (*self.heard, "saved")

    def on_load_checkpoint(self, checkpoint):
        self.heard = (*self.heard, "loaded")


class Mixed(Mixin, GANModule):
    """Takes its hooks from beside."""


class Twice(Mixed):
    """Overrides once more, and calls what it overrides."""

    def configure_callbacks(self):
        return [*super().configure_callbacks(), pl.callbacks.ModelSummary(-1)]

    def on_save_checkpoint(self, checkpoint):
        super().on_save_checkpoint(checkpoint)
        checkpoint["theirs"] = sorted(checkpoint["lightning_gan"])  # ours is there by now

    def on_load_checkpoint(self, checkpoint):
        super().on_load_checkpoint(checkpoint)
        assert checkpoint["theirs"]


@pytest.mark.parametrize("cls", [Mixed, Twice])
def test_hooks_may_come_from_beside_and_be_overridden_again(tmp_path, plain, cls):
    gan = trained(tmp_path, cls)
    assert gan.heard == ("loaded", "saved")
    assert any(isinstance(each, pl.callbacks.Timer) for each in gan.trainer.callbacks)
    assert all(torch.equal(v, states(gan)[k]) for k, v in states(plain).items())


def test_optimizers_may_come_in_any_order(tmp_path, plain):
    class Own(GANModule):
        def configure_optimizers(self):
            made, schedulers = optimizers(self)
            return made[::-1], schedulers[::-1]

    gan = trained(tmp_path, Own)
    assert all(torch.equal(v, states(gan)[k]) for k, v in states(plain).items())


@pytest.mark.parametrize(
    "make",
    [
        lambda gan: torch.optim.SGD(gan.parameters(), 0.1),
        lambda gan: [torch.optim.SGD(gan.generator.parameters(), 0.1) for _ in range(2)],
    ],
    ids=["one for both", "two for one"],
)
def test_optimizers_that_fit_no_player_are_refused(tmp_path, make):
    class Own(GANModule):
        def configure_optimizers(self):
            return make(self)

    message = "configure_optimizers must return one optimizer for each player, .* got . *: SGD"
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, Own(**parts()), steps=1)


def adam(network):
    return torch.optim.Adam(network.parameters())


def scheduled(gan, **options):
    made = adam(gan.generator)
    scheduler = {"scheduler": StepLR(made, 1), **options}
    return {"optimizer": made, "lr_scheduler": scheduler}, {"optimizer": adam(gan.discriminator)}


def waiting(gan):
    made = adam(gan.generator)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(made)
    config = {"scheduler": scheduler, "interval": "step"}
    return {"optimizer": made, "lr_scheduler": config}, {"optimizer": adam(gan.discriminator)}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda gan: adam(gan.generator),
            "leaves out what the discriminator trains, 4 parameters such as MLPDiscriminator.",
        ),
        (
            lambda gan: [adam(gan.generator.layers[0]), adam(gan.discriminator)],
            "leaves out what the generator trains, .* give them to its optimizer, or freeze them",
        ),
        (scheduled, "StepLR has interval 'epoch' and frequency 1: count its steps in those of"),
        (partial(scheduled, interval="step", frequency=2), "interval 'step' and frequency 2"),
        (waiting, "generator_lr_scheduler is ReduceLROnPlateau, which waits for a metric"),
        (
            lambda gan: [torch.optim.LBFGS(gan.generator.parameters()), adam(gan.discriminator)],
            "generator_optimizer is LBFGS, which computes the loss several times a step",
        ),
    ],
    ids=["no discriminator", "some of one", "epoch", "frequency", "plateau", "closure"],
)
def test_optimizers_that_would_not_do_what_they_say_are_refused(tmp_path, make, sentence):
    class Own(GANModule):
        def configure_optimizers(self):
            return make(self)

    with pytest.raises(InputError, match=sentence):
        toys.fit(tmp_path, Own(**parts()), steps=1)


def test_a_trainer_that_goes_on_says_nothing_about_sessions(tmp_path, caplog):
    gan = GANModule(**parts())
    run = toys.trainer(tmp_path, max_steps=1)
    with caplog.at_level("INFO"):
        run.fit(gan, toys.loader())
        run.fit_loop.epoch_loop.max_steps = 2
        run.fit(gan, toys.loader())
        run.validate(gan, toys.loader(), verbose=False)
    assert "override" not in caplog.text
    assert not any(isinstance(each, Session) for each in copy.deepcopy(run.callbacks))


def test_callbacks_are_as_they_were_after_an_error(tmp_path):
    class Stumbling(pl.Callback):
        def on_train_batch_end(self, *args):
            raise RuntimeError("stumbled")

    ours = GracefulStop()
    with pytest.raises(RuntimeError, match="stumbled"):
        toys.fit(tmp_path, GANModule(**parts()), callbacks=[Stumbling(), ours])
    assert all(callable(getattr(ours, name)) for name in HOOKS)
