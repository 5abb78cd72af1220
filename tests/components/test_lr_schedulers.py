"""Inverse-time decay against its formula, and over a stop."""

import functools

import pytest
import torch
import toys
from torch import nn

from lightning_gan import GANModule
from lightning_gan.data import RandomImages
from lightning_gan.errors import InputError
from lightning_gan.lr_schedulers.inverse_time_decay import InverseTimeDecay


def optimizer(rate=0.1):
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=rate)


def rates(scheduler, steps):
    found = []
    for _ in range(steps):
        found.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step()
    return found


def test_formula():
    found = rates(InverseTimeDecay(optimizer(), decay=0.5), 5)
    assert found == pytest.approx([0.1 / (1 + 0.5 * step) for step in range(5)])


def test_no_decay():
    assert rates(InverseTimeDecay(optimizer(), decay=0.0), 3) == [0.1, 0.1, 0.1]


def test_each_group_has_its_own_rate():
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (1.0, 2.0)]
    scheduler = InverseTimeDecay(torch.optim.SGD(groups), decay=1.0)
    rates(scheduler, 3)
    assert scheduler.get_last_lr() == [0.25, 0.5]


def test_the_state_goes_on_where_it_stopped():
    first, second = (InverseTimeDecay(optimizer(), decay=0.5) for _ in range(2))
    rates(first, 3)
    second.load_state_dict(first.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    assert rates(second, 1) == pytest.approx([0.1 / 2.5])


def test_negative_decay():
    with pytest.raises(InputError, match="decay must be at least 0, got -0.1"):
        InverseTimeDecay(optimizer(), decay=-0.1)
    with pytest.raises(InputError, match="decay must be at least 0, got -1"):  # at construction
        toys.gan(generator_lr_scheduler=functools.partial(InverseTimeDecay, decay=-1))


def test_it_counts_the_steps_of_its_own_player_over_a_stop(tmp_path):
    def fit(steps, path=None):
        module = toys.gan(
            generator_optimizer=functools.partial(torch.optim.SGD, lr=0.1),
            generator_lr_scheduler=functools.partial(InverseTimeDecay, decay=0.5),
        )
        run = toys.trainer(tmp_path, max_steps=steps)
        run.fit(module, RandomImages(shape=[1, 4, 4], n=40, batch_size=8), ckpt_path=path)
        return run

    path = tmp_path / "stopped.ckpt"
    fit(3).save_checkpoint(path, weights_only=False)
    generator, discriminator = fit(6, path).optimizers
    assert generator.param_groups[0]["lr"] == pytest.approx(0.1 / (1 + 0.5 * 6))
    assert discriminator.param_groups[0]["lr"] == 2e-4
    loaded = GANModule.load_from_checkpoint(path).arguments()["generator_lr_scheduler"]
    assert (loaded.func, loaded.keywords) == (InverseTimeDecay, {"decay": 0.5})
