"""What makes a step cheap changes nothing of what it does."""

from __future__ import annotations

import copy
import csv
import os
import pickle

import pytest
import pytorch_lightning as pl
import torch
import toys
from pytorch_lightning.utilities.model_helpers import is_overridden

from lightning_gan import EMA, GANModule
from lightning_gan.callbacks import RoundLimit
from lightning_gan.discriminators.dcgan import DCGANDiscriminator
from lightning_gan.export import export_generator, load_generator
from lightning_gan.game.guard import any_not_finite
from lightning_gan.game.optimization import make_optimizer, spare_gpu_queries
from lightning_gan.generators.dcgan import DCGANGenerator
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.training.seams.hooks import EMPTY, HOOKS
from lightning_gan.types import Player

SHAPE = (1, 16, 16)


def convolutional():
    torch.manual_seed(0)
    return GANModule(
        generator=DCGANGenerator(SHAPE, latent_dim=3, base_channels=4),
        discriminator=DCGANDiscriminator(SHAPE, base_channels=4),
        loss=NonSaturatingLoss(),
        ema=EMA(),
    )


def kernels(network):
    return [p for p in network.parameters() if p.dim() == 4 and min(p.shape[:2]) > 1]


def is_channels_last(tensor):
    return tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()


def test_dcgan_is_channels_last_also_averaged_loaded_and_exported(tmp_path):
    gan = convolutional()
    run = toys.trainer(tmp_path, max_steps=2)
    run.fit(gan, toys.loader(torch.rand(32, *SHAPE) * 2 - 1))
    run.save_checkpoint(tmp_path / "x.ckpt", weights_only=False)
    loaded = GANModule.load_from_checkpoint(tmp_path / "x.ckpt")
    exported = load_generator(export_generator(gan, tmp_path / "exported"))
    networks = (gan.generator, gan.discriminator, gan.generator_ema, loaded.generator, exported)
    for network in networks:
        assert kernels(network)
        assert all(is_channels_last(kernel) for kernel in kernels(network))
    moments = [state["exp_avg"] for state in run.optimizers[0].state.values()]
    assert any(is_channels_last(moment) for moment in moments)
    assert torch.equal(gan.sample(4, seed=0), loaded.sample(4, seed=0))


def test_a_run_goes_on_from_states_of_another_memory_format():
    """Fused kernels read weights and moments as flat memory, whatever their strides."""

    def update(optimizer, parameter, seed):
        gradient = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(seed))
        parameter.grad = torch.empty_like(parameter).copy_(gradient)
        optimizer.step()

    results = []
    for other in (False, True):
        network = torch.nn.Conv2d(3, 4, 2, bias=False).to(memory_format=torch.channels_last)
        torch.nn.init.constant_(network.weight, 0.5)
        optimizer = make_optimizer(Player.GENERATOR, network, (), None)
        assert optimizer.param_groups[0]["fused"]
        update(optimizer, network.weight, seed=0)
        state = optimizer.state_dict()
        if other:
            for key in ("exp_avg", "exp_avg_sq"):
                state["state"][0][key] = state["state"][0][key].contiguous()
        optimizer.load_state_dict(state)
        update(optimizer, network.weight, seed=1)
        results.append(network.weight.detach().clone())
    assert torch.equal(*results)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_one_bad_element_is_found(dtype, bad):
    tensors = [torch.ones(3, dtype=dtype), torch.full((2, 3, 2, 2), 1e30, dtype=dtype)]
    tensors[1] = tensors[1].to(memory_format=torch.channels_last)
    before = [tensor.clone() for tensor in tensors]
    assert any_not_finite(tensors) == 0  # whose squares are infinite in float32
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True))
    tensors[1][1, 2, 0, 1] = bad
    assert any_not_finite(tensors) == 1
    assert any_not_finite([]) == 0


def test_gradients_that_the_scaler_does_not_take_are_looked_at_by_their_norm():
    complex_ = torch.ones(3, dtype=torch.complex64)
    sparse = torch.sparse_coo_tensor([[0]], [1.0], (3,), check_invariants=True)
    plain = torch.ones(3)
    for others in ([complex_], [sparse]):
        assert any_not_finite([plain, *others]) == 0
        assert any_not_finite([torch.full((2,), float("nan")), *others]) == 1
        assert any_not_finite([plain, *(other * float("inf") for other in others)]) == 1


@pytest.mark.parametrize("make", [None, torch.optim.RMSprop])
def test_the_norm_of_a_gradient_that_is_dropped_is_not_zero(tmp_path, make):
    class Broken(NonSaturatingLoss):
        def generator(self, fake, real=None):
            return super().generator(fake) * float("nan")

    gan = toys.gan(loss=Broken(), generator_optimizer=make)
    toys.fit(tmp_path, gan, steps=1)
    assert gan.latest_metrics["skipped/generator"] == 1
    assert gan.latest_metrics["grad_norm/generator"].isnan()
    assert gan.latest_metrics["grad_norm/discriminator"] > 0


def test_only_empty_hooks_are_passed_over(tmp_path):
    heard = []

    class Early(pl.Callback):
        def on_train_batch_start(self, *_):
            heard.append("early")

    class Late(pl.Callback):
        def on_after_backward(self, *_):
            super().on_after_backward(*_)
            heard.append("late")

    class Derived(Early):
        def on_before_optimizer_step(self, *_):
            heard.append("derived")

    class Both(Early, Late):
        pass

    class Own(GANModule):
        def on_train_batch_end(self, *_):
            super().on_train_batch_end(*_)
            heard.append("module")

    parts = toys.gan().arguments()
    gan = Own(**{name: parts[name] for name in ("generator", "discriminator", "loss")})
    callbacks = [Early(), Late(), Derived(), Both()]
    toys.fit(tmp_path, gan, steps=1, callbacks=callbacks)
    assert heard == ["early"] * 3 + ["late", "late", "derived"] * 2 + ["module"]
    assert vars(callbacks[0]).keys().isdisjoint(HOOKS)

    heard.clear()
    callbacks[0].on_train_batch_end = lambda *_: heard.append("patched")
    Early.on_after_backward = lambda *_: heard.append("new")
    toys.fit(tmp_path, gan, steps=1, callbacks=callbacks[:1])
    assert heard == ["early", "new", "new", "patched", "module"]


def test_what_was_passed_over_comes_back_also_after_an_error(tmp_path):
    """Of our own callbacks; none of another's is touched."""
    heard, found = [], []

    class Failing(pl.Callback):
        def on_train_batch_end(self, trainer, module, *_):
            found.extend(vars(ours).get(name) for name in HOOKS)
            found.append(copy.deepcopy(pickle.loads(pickle.dumps(ours))).on_after_backward)
            heard.append(is_overridden("on_after_backward", ours, parent=pl.Callback))
            assert vars(module)["on_train_batch_end"] is EMPTY
            assert vars(module.session)["on_train_batch_end"] is EMPTY
            assert vars(theirs).keys() & set(HOOKS) == {"on_after_backward"}
            if len(heard) == 1:
                raise ValueError("stop")

    gan, ours, theirs = toys.gan(), RoundLimit(max_rounds=9), pl.Callback()
    ours.on_before_backward = theirs.on_after_backward = None  # Lightning passes over that, too
    callbacks = [ours, theirs, Failing()]
    with pytest.raises(ValueError, match="stop"):
        toys.fit(tmp_path, gan, steps=1, callbacks=callbacks)
    toys.fit(tmp_path, gan, steps=1, callbacks=callbacks)
    assert found == [EMPTY, None, None, EMPTY, EMPTY, EMPTY] * 2
    assert heard == [False, False]
    assert [name for name in HOOKS if name in vars(ours)] == ["on_before_backward"]
    assert vars(gan).keys().isdisjoint(HOOKS)
    assert vars(gan.session).keys().isdisjoint(HOOKS)


class Forwards(pl.Callback):
    """Hands the hooks of a step on to a callback beside it, whether that has any or not."""

    def __init__(self, sibling):
        self.sibling, self.heard = sibling, []

    def __getattribute__(self, name):
        if name not in HOOKS:
            return super().__getattribute__(name)

        def forward(*arguments):
            self.heard.append(name)
            getattr(self.sibling, name)(*arguments)

        return forward


class Derived(RoundLimit):
    """Somebody's own, made from one of ours."""


@pytest.mark.parametrize("sibling", [pl.Callback(), Derived(max_rounds=9)])
def test_a_callback_may_forward_to_a_siblings_hooks(tmp_path, sibling):
    forwards = Forwards(sibling)
    toys.fit(tmp_path, toys.gan(), steps=2, callbacks=[sibling, forwards])
    start, end, *of_update = HOOKS
    assert forwards.heard == [start, *of_update, *of_update, end] * 2


def test_values_reach_loggers_bar_and_monitors_in_one_piece(tmp_path):
    logger = pl.loggers.CSVLogger(tmp_path, name="", version="run")
    gan = toys.gan()
    run = toys.fit(tmp_path, gan, steps=4, logger=logger, log_every_n_steps=2)
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["epoch"]) for row in rows] == [("1", "0"), ("3", "0")]
    last = {key: float(value) for key, value in rows[-1].items() if key not in ("step", "epoch")}
    assert set(last) == set(gan.latest_metrics)
    for kind in (run.callback_metrics, run.logged_metrics, gan.latest_metrics):
        assert {key: kind[key].item() for key in last} == pytest.approx(last)
    bar = run.progress_bar_metrics
    assert {key: bar[key] for key in bar} == pytest.approx(
        {key: last[key] for key in ("loss/generator", "loss/discriminator")}
    )


@pytest.mark.parametrize(("available", "asked"), [(False, "0"), (True, "1")])
def test_the_gpus_driver_is_asked_only_where_there_is_a_gpu(monkeypatch, available, asked):
    monkeypatch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    spare_gpu_queries()
    assert os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] == asked
