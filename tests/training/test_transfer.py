"""Batches that are there are handed over; whoever has a hook around the transfer is asked."""

from __future__ import annotations

import inspect

import pytest
import pytorch_lightning as pl
import torch
import toys

from lightning_gan import GANModule
from lightning_gan.training.seams.transfer import HOOKS, is_there, moves_nothing_else


def test_lightning_moves_batches_where_we_look():
    """If not: transfer.py and what GANModule overrides may go."""
    arguments = inspect.signature(pl.LightningModule._apply_batch_transfer_handler).parameters
    assert list(arguments) == ["self", "batch", "device", "dataloader_idx"]
    for owner in (pl.LightningModule, pl.LightningDataModule):
        assert all(callable(getattr(owner, name)) for name in HOOKS)


class Moves(pl.LightningModule):
    """Notes what Lightning asks it."""

    asked = 0

    def _apply_batch_transfer_handler(self, *arguments, **options):
        self.asked += 1
        return super()._apply_batch_transfer_handler(*arguments, **options)

    def configure_optimizers(self):
        return None

    def training_step(self, batch, batch_idx):
        return None


@pytest.mark.filterwarnings("ignore:`training_step` returned `None`", "ignore:`LightningModule.con")
def test_lightning_asks_at_every_batch(tmp_path):
    module = Moves()
    toys.trainer(tmp_path, max_epochs=1).fit(module, toys.loader())
    assert module.asked == 4


class Data(pl.LightningDataModule):
    def train_dataloader(self):
        return toys.loader()


def overriding(base, name):
    """Return a class with a hook of its own, and the batches that it is asked about."""
    asked = []

    def hook(self, batch, *rest):
        asked.append(batch)
        return batch

    return type("Own", (base,), {name: hook}), asked


def fit(folder, module, data):
    run = toys.trainer(folder, max_steps=4)
    run.fit(module, datamodule=data)
    return run


@pytest.mark.filterwarnings("ignore:You have overridden")  # of which of two is asked
@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize("where", ["module", "data", "instance of the data"])
def test_hooks_around_the_transfer_are_asked(tmp_path, name, where):
    parts = toys.gan().arguments()
    cls, asked = overriding(GANModule if where == "module" else Data, name)
    module = cls(**parts) if where == "module" else toys.gan()
    data = cls() if where == "data" else Data()
    if where == "instance of the data":
        setattr(data, name, getattr(cls(), name))
    run = fit(tmp_path, module, data)
    assert len(asked) == 4
    assert not moves_nothing_else(run)


def test_what_is_there_is_handed_over_as_it_is(tmp_path, monkeypatch):
    def never(*_):
        raise AssertionError("Lightning moved a batch that was there")

    monkeypatch.setattr("pytorch_lightning.core.hooks.move_data_to_device", never)
    gan = toys.gan()
    fit(tmp_path, gan, Data())
    assert gan.progress.batches == 4
    assert not gan.session.hands_over  # until the next training
    rows = [{"image": image} for image in toys.images()]
    loader = torch.utils.data.DataLoader(rows, batch_size=8)
    read = toys.gan(prepare_batch=lambda batch: batch["image"])
    with pytest.raises(AssertionError, match="Lightning moved a batch"):  # a dict is looked through
        toys.fit(tmp_path, read, data=loader)


CPU, META = torch.device("cpu"), torch.device("meta")
HERE, THERE = torch.ones(2), torch.ones(2, device="meta")


@pytest.mark.parametrize(
    ("batch", "found"),
    [
        (HERE, True),
        ((HERE, HERE), True),
        ([HERE], True),
        (THERE, False),
        ((HERE, THERE), False),
        ((HERE, None), False),
        ({"x": HERE}, False),
        (torch.nn.utils.rnn.pack_sequence([HERE]), False),
    ],
)
def test_what_is_there_is_told_by_its_device(batch, found):
    assert is_there(batch, CPU) == found
    assert not is_there(HERE, META)
