"""Optimizers, their rates and schedules in the updates of one batch."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import toys
from stepping import sgd

from lightning_gan import (
    EMA,
    InputError,
    Player,
    Regularizer,
)
from lightning_gan.alternations.alternating import Alternating
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.schedules import BurnIn, Linear

G, D = Player.GENERATOR, Player.DISCRIMINATOR


def test_gradients_are_clipped_for_each_player_by_its_own_rule(tmp_path):
    gan = toys.gan(
        generator_clip_value=1e-3,
        discriminator_clip_norm=1e-2,
        generator_optimizer=sgd(1.0),
        discriminator_optimizer=sgd(1.0),
    )
    before = {each: toys.weights(getattr(gan, each.value)) for each in Player}
    toys.fit(tmp_path, gan, steps=1)
    moves = {
        each: torch.cat(
            [
                (before[each][name] - value).flatten()
                for name, value in toys.weights(getattr(gan, each.value)).items()
            ]
        )
        for each in Player
    }
    assert moves[G].abs().max().item() == pytest.approx(1e-3, rel=1e-3)
    assert moves[D].norm().item() == pytest.approx(1e-2, rel=1e-3)
    assert gan.latest_metrics["grad_norm/discriminator"] > 1e-2  # before clipping


def test_lr_schedules_step_after_their_own_optimizer(tmp_path):
    halve = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    gan = toys.gan(
        generator_optimizer=sgd(1.0),
        discriminator_optimizer=sgd(1.0),
        generator_lr_scheduler=halve,
        discriminator_lr_scheduler=halve,
        alternation=Alternating(d_steps=2),
    )
    run = toys.fit(tmp_path, gan, steps=4)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in run.optimizers]
    assert rates == [1 / 4, 1 / 16]


def test_counts_can_be_scheduled(tmp_path):
    gan = toys.gan(
        alternation=Alternating(d_steps=2),
        schedules={"alternation.d_steps": BurnIn(2, 1, kimg=0.032)},
    )
    toys.fit(tmp_path, gan, steps=6)
    assert (gan.alternation.d_steps, gan.progress.generator_steps) == (1, 4)


def test_optimizers_and_schedulers_are_tried_at_construction():
    with pytest.raises(InputError, match="generator_lr_scheduler is ReduceLROnPlateau, which wait"):
        toys.gan(generator_lr_scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau)
    with pytest.raises(InputError, match="generator_optimizer: Invalid learning rate: -1"):
        toys.gan(generator_optimizer=sgd(-1.0))
    with pytest.raises(InputError, match="discriminator_optimizer: .*unexpected keyword .*'lrr'"):
        toys.gan(discriminator_optimizer=partial(torch.optim.Adam, lrr=1.0))
    with pytest.raises(InputError, match="discriminator_lr_scheduler: .*step_size"):
        toys.gan(discriminator_lr_scheduler=torch.optim.lr_scheduler.StepLR)


def test_default_optimizers_are_fused_adam(tmp_path):
    run = toys.fit(tmp_path, toys.gan(), steps=1)
    for optimizer in run.optimizers:
        group = optimizer.param_groups[0]
        assert isinstance(optimizer, torch.optim.Adam)
        assert (group["lr"], group["betas"], group["fused"]) == (2e-4, (0.5, 0.999), True)


def test_a_generator_without_parameters_cannot_step(tmp_path):
    gan = toys.gan()
    gan.generator.requires_grad_(False)
    message = "Alternation lets the generator step, and all of it is frozen: thaw some of it, or"
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, gan, steps=1)


def test_schedules_set_numbers_by_images_seen(tmp_path):
    seen = []

    class Watch(Regularizer):
        def discriminator(self, step):
            seen.append((self.weight, gan.ema.half_life_kimg))

    gan = toys.gan(
        regularizers={"w": Watch(weight=9.0)},
        ema=EMA(),
        schedules={
            "regularizers.w.weight": Linear(1.0, 3.0, kimg=0.016),
            "ema.half_life_kimg": Linear(1.0, 0.0, kimg=0.008),
        },
    )
    toys.fit(tmp_path, gan, steps=4)
    assert seen == [(1.0, 1.0), (2.0, 0.0), (3.0, 0.0), (3.0, 0.0)]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("regularizers.r2.weight", "names no part of this GAN, did you mean 'r1'"),
        ("regularizers.r1.wieght", "names no number, did you mean 'weight'"),
        ("share_fakes", "names no number"),
        ("global_step", "names no number"),
        ("generator_clip_norm", "names no number"),
    ],
)
def test_a_schedule_of_nothing_is_refused(path, message):
    with pytest.raises(InputError, match=message):
        toys.gan(regularizers={"r1": R1Regularizer()}, schedules={path: Linear(0.0, 1.0, kimg=1)})
