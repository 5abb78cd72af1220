"""A setting that changed between two parts of one training takes effect, or is refused."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import toys
from torch.optim import SGD, Adam, RMSprop
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    SequentialLR,
)

from lightning_gan.errors import InputError
from lightning_gan.types import Player


def resume(tmp_path, before, after, steps=4):
    """Train four steps with some settings, go on with others; return the resumed trainer."""
    first = toys.fit(tmp_path, toys.gan(**before), steps=4)
    path = tmp_path / "a.ckpt"
    first.save_checkpoint(path, weights_only=False)
    run = toys.trainer(tmp_path, max_steps=4 + steps)
    run.fit(toys.gan(**after), toys.loader(), ckpt_path=path)
    return run


def group(run, player=Player.GENERATOR):
    return run.optimizers[list(Player).index(player)].param_groups[0]


def test_the_same_settings_change_nothing(tmp_path, recwarn):
    parts = {"generator_optimizer": partial(Adam, lr=3e-4, betas=(0.0, 0.9))}
    assert group(resume(tmp_path, parts, parts))["lr"] == 3e-4
    assert not [w for w in recwarn if "changed" in str(w.message)]


def test_a_learning_rate_takes_effect(tmp_path):
    before = {"generator_optimizer": partial(Adam, lr=3e-4)}
    after = {"generator_optimizer": partial(Adam, lr=1e-4, weight_decay=0.1)}
    message = "changed from here on: generator_optimizer.weight_decay 0 -> 0.1; "
    with pytest.warns(UserWarning, match=message + "generator_optimizer.lr 0.0003 -> 0.0001"):
        run = resume(tmp_path, before, after)
    assert (group(run)["lr"], group(run)["weight_decay"]) == (1e-4, 0.1)
    assert group(run, Player.DISCRIMINATOR)["lr"] == 2e-4
    assert run.optimizers[0].state_dict()["state"][0]["step"] == 8  # the moments were kept


def test_betas_take_effect(tmp_path):
    before = {"discriminator_optimizer": partial(Adam, lr=3e-4, betas=(0.0, 0.9))}
    after = {"discriminator_optimizer": partial(Adam, lr=3e-4, betas=(0.5, 0.9))}
    with pytest.warns(UserWarning, match=r"discriminator_optimizer.betas \(0.0, 0.9\) -> \(0.5"):
        run = resume(tmp_path, before, after)
    assert group(run, Player.DISCRIMINATOR)["betas"] == (0.5, 0.9)


def wrapped(optimizer):
    return SequentialLR(optimizer, [ExponentialLR(optimizer, 0.5)], [])


@pytest.mark.parametrize("chained", [False, True])
def test_a_scheduled_learning_rate_changes_in_proportion(tmp_path, chained):
    parts = {"generator_lr_scheduler": wrapped if chained else partial(ExponentialLR, gamma=0.5)}
    after = {**parts, "generator_optimizer": partial(Adam, lr=2e-3, betas=(0.5, 0.999))}
    with pytest.warns(UserWarning, match="generator_optimizer.lr 0.0002 -> 0.002"):
        run = resume(tmp_path, parts, after)
    assert group(run)["lr"] == pytest.approx(2e-3 * 0.5**8)


def test_a_schedule_takes_effect(tmp_path):
    before = {"generator_lr_scheduler": partial(ExponentialLR, gamma=0.5)}
    after = {"generator_lr_scheduler": partial(ExponentialLR, gamma=0.1)}
    with pytest.warns(UserWarning, match="generator_lr_scheduler.gamma 0.5 -> 0.1"):
        run = resume(tmp_path, before, after)
    assert group(run)["lr"] == pytest.approx(2e-4 * 0.5**4 * 0.1**4)


def sequence(optimizer, steps):
    parts = [LinearLR(optimizer, 0.1, total_iters=2), CosineAnnealingLR(optimizer, steps)]
    return SequentialLR(optimizer, parts, [2])


@pytest.mark.filterwarnings("ignore:The epoch parameter in")  # of torch 2.8, to SequentialLR itself
def test_a_schedule_within_a_schedule_is_refused(tmp_path):
    before = {"generator_lr_scheduler": partial(sequence, steps=10)}
    after = {"generator_lr_scheduler": partial(sequence, steps=20)}
    message = (
        "generator_lr_scheduler: a setting inside torch.optim.lr_scheduler.SequentialLR has "
        "changed, which a resumed training cannot take over; set it back"
    )
    with pytest.raises(InputError, match=message):
        resume(tmp_path, before, after)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            {},
            {"discriminator_optimizer": partial(RMSprop, lr=1e-4)},
            "discriminator_optimizer: the checkpoint holds the state of torch.optim.adam.Adam, and "
            "torch.optim.rmsprop.RMSprop cannot go on from it; set it back, or begin a new "
            "training without the checkpoint",
        ),
        (
            {"generator_lr_scheduler": partial(ExponentialLR, gamma=0.5)},
            {"discriminator_lr_scheduler": partial(ExponentialLR, gamma=0.5)},
            "generator_lr_scheduler: the checkpoint holds the state of "
            "torch.optim.lr_scheduler.ExponentialLR, and None cannot go on from it",
        ),
    ],
)
def test_another_class_is_refused(tmp_path, before, after, message):
    with pytest.raises(InputError, match=message):
        resume(tmp_path, before, after)


def two_groups(parameters):
    first, *rest = parameters
    return SGD([{"params": [first], "lr": 0.1}, {"params": rest}], lr=0.01)


def test_a_learning_rate_of_one_group_takes_effect(tmp_path):
    before = {"generator_optimizer": two_groups}

    def other(parameters):
        first, *rest = parameters
        return SGD([{"params": [first], "lr": 0.1}, {"params": rest}], lr=0.02)

    with pytest.warns(UserWarning, match="generator_optimizer.lr 0.01 -> 0.02"):
        run = resume(tmp_path, before, {"generator_optimizer": other})
    assert [g["lr"] for g in run.optimizers[0].param_groups] == [0.1, 0.02]


def test_another_number_of_groups_is_refused(tmp_path):
    before = {"generator_optimizer": two_groups}
    message = "generator_optimizer: the checkpoint has 2 parameter groups, and there are 1 now"
    with pytest.raises(InputError, match=message):
        resume(tmp_path, before, {"generator_optimizer": partial(SGD, lr=0.1)})


class Decay:
    def __init__(self, steps):
        self.steps = steps

    def __call__(self, step):
        return 1 / (1 + step / self.steps)


def decayed(optimizer, steps):
    return LambdaLR(optimizer, Decay(steps))


def test_an_object_that_says_the_rate_takes_effect(tmp_path):
    before = {"generator_lr_scheduler": partial(decayed, steps=10)}
    after = {"generator_lr_scheduler": partial(decayed, steps=2)}
    with pytest.warns(UserWarning, match="generator_lr_scheduler.lr_lambdas"):
        run = resume(tmp_path, before, after)
    assert group(run)["lr"] == pytest.approx(2e-4 / (1 + 8 / 2))


def tensor_rate(parameters, lr):
    return Adam(parameters, lr=torch.tensor(lr))


def test_a_learning_rate_in_a_tensor_takes_effect(tmp_path):
    before, after = ({"generator_optimizer": partial(tensor_rate, lr=lr)} for lr in (1e-3, 1e-4))
    with pytest.warns(UserWarning, match="generator_optimizer.lr"):
        run = resume(tmp_path, before, after)
    assert float(group(run)["lr"]) == pytest.approx(1e-4)


def test_processes_must_begin_at_the_same_step(tmp_path, monkeypatch):
    def others(value):
        return [value, {**value, "batches": 4}] if "batches" in value else [value]

    monkeypatch.setattr("lightning_gan.training.session.gather_objects", others)
    message = r"the processes begin at different steps, \[0, 4\]: give ckpt_path one file"
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, toys.gan())


def test_kernels_are_those_of_today(tmp_path):
    before = {"generator_optimizer": partial(Adam, lr=1e-4, foreach=True)}
    run = resume(tmp_path, before, {"generator_optimizer": partial(Adam, lr=1e-4)})
    assert group(run)["fused"] is True
    assert group(run)["foreach"] is None
    assert torch.isfinite(run.lightning_module.generator.layers[0].weight).all()
