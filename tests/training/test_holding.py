"""Conditions before the first validation: from a loader of our own, without a trace."""

from __future__ import annotations

import logging
import random

import numpy as np
import paired
import pytest
import torch
import toys
from pytorch_lightning import Callback, LightningDataModule
from torch.utils.data import DataLoader


class AtStart(Callback):
    """Notes what is held when callbacks draw their first picture."""

    def on_train_start(self, trainer, pl_module):
        self.held = pl_module.conditions.held
        self.drawn = torch.get_rng_state()


def started(tmp_path, module, data):
    look = AtStart()
    run = toys.trainer(
        tmp_path, max_steps=1, callbacks=[look], num_sanity_val_steps=0, limit_val_batches=0
    )
    fit = {"datamodule": data} if isinstance(data, LightningDataModule) else data
    run.fit(module, **fit)
    return look


def test_the_first_batch_is_there_before_the_first_picture(tmp_path):
    data = paired.Pairs()
    held = started(tmp_path, paired.gan(), data).held
    assert torch.equal(held.real, data.stacked("image")[:8])
    assert torch.equal(held.y["small"], data.stacked("small")[:8])


def test_random_states_are_as_without(tmp_path):
    class Restless(paired.Pairs):
        def val_dataloader(self):
            def collate(rows):
                random.random(), np.random.rand()
                return torch.utils.data.default_collate(rows)

            own = self.own = torch.Generator().manual_seed(1)
            return DataLoader(self.rows, 8, shuffle=True, collate_fn=collate, generator=own)

    def after(data):
        torch.manual_seed(0), random.seed(0), np.random.seed(0)
        module = paired.gan()
        look = started(tmp_path, module, data)
        return look, look.drawn, random.random(), np.random.rand(), toys.weights(module.generator)

    class Without(paired.Pairs):
        val_dataloader = LightningDataModule.val_dataloader

    data = Restless()
    one, other = after(data), after(Without())
    assert one[0].held is not None
    assert other[0].held is None
    assert torch.equal(one[1], other[1])
    assert one[2:4] == other[2:4]
    assert toys.same(one[4], other[4])
    assert torch.equal(data.own.get_state(), torch.Generator().manual_seed(1).get_state())


class Counted:
    """A loader that counts how often somebody begins with it."""

    def __init__(self, data):
        self.begun, self.loader = 0, data.train_dataloader()

    def __iter__(self):
        self.begun += 1
        return iter(self.loader)


def test_loaders_of_others_are_not_touched(tmp_path):
    data = paired.Pairs()
    loader = Counted(data)
    loaders = {"train_dataloaders": data.train_dataloader(), "val_dataloaders": loader}
    assert started(tmp_path, paired.gan(), loaders).held is None
    assert loader.begun == 0


@pytest.mark.parametrize("several", [list, lambda pair: dict(enumerate(pair)), tuple])
def test_of_several_loaders_the_first(several, tmp_path):
    data = paired.Pairs()
    data.val_dataloader = lambda: several([data.test_dataloader(), Counted(data)])
    assert len(started(tmp_path, paired.gan(), data).held.real) == 8


@pytest.mark.parametrize("empty", [[], iter(()), DataLoader([])])
def test_loaders_without_a_batch(empty, tmp_path):
    data = paired.Pairs()
    data.val_dataloader = lambda: empty
    assert started(tmp_path, paired.gan(), data).held is None


def test_a_loader_that_gives_its_batches_once_keeps_them(tmp_path):
    data = paired.Pairs()
    once = iter(data.test_dataloader())
    data.val_dataloader = lambda: once
    assert started(tmp_path, paired.gan(), data).held is None
    assert len(next(once)["image"]) == 8


def test_a_loader_that_fails_is_said_in_one_line(tmp_path, caplog):
    def fails():
        raise FileNotFoundError("no such\nfolder")

    data = paired.Pairs()
    data.val_dataloader = fails
    with caplog.at_level(logging.INFO):
        assert started(tmp_path, paired.gan(), data).held is None
    lines = [r.getMessage() for r in caplog.records if "held-out" in r.getMessage()]
    assert lines == [
        "no held-out batch before the first validation: FileNotFoundError: no such folder"
    ]


def test_batches_come_as_validation_has_them(tmp_path):
    class Halved(paired.Pairs):
        def on_before_batch_transfer(self, batch, dataloader_idx):
            return {**batch, "image": batch["image"] / 2}

        def on_after_batch_transfer(self, batch, dataloader_idx):
            return {**batch, "small": batch["small"] / 4}

    data = Halved()
    held = started(tmp_path, paired.gan(), data).held
    assert torch.equal(held.real, data.stacked("image")[:8] / 2)
    assert torch.equal(held.y["small"], data.stacked("small")[:8] / 4)


def test_what_is_held_already_and_classes_need_nothing(tmp_path):
    data = paired.Pairs()
    data.val_dataloader = lambda: pytest.fail("asked for a loader")
    module = paired.gan()
    module.conditions.hold(toys.images(2), {"small": toys.images(2, (1, 2, 2))})
    assert len(started(tmp_path, module, data).held.real) == 2

    class Labeled(LightningDataModule):
        def train_dataloader(self):
            return toys.loader(y=torch.arange(32) % 3)

        def val_dataloader(self):
            return pytest.fail("asked for a loader")

    classes = {"num_classes": 3}
    module = toys.gan(
        generator=toys.generator(**classes), discriminator=toys.discriminator(**classes)
    )
    assert started(tmp_path, module, Labeled()).held is None


def test_statistics_wait_for_conditions_where_there_are_none():
    from lightning_gan import EMA, InputError

    module = paired.gan(paired.Upscaler(norm=True), ema=EMA(buffers="reestimate"))
    small = {"small": toys.images(3, (1, 2, 2)), "attributes": torch.zeros(3)}
    before = toys.weights(module.generator_ema)
    with pytest.raises(InputError, match="Upscaler asks for a condition"):
        module.sample(3)
    module.sample(3, labels=small)
    assert toys.same(toys.weights(module.generator_ema), before)
    assert module.generator_ema.norm.momentum == 0.1
    module.conditions.hold(toys.images(3), small)
    module.sample(3, labels=small)
    assert not toys.same(toys.weights(module.generator_ema), before)
