"""Batches as people have them."""

from __future__ import annotations

import pytest
import torch
import toys

from lightning_gan import Batch, BatchKeys, InputError, prepare_batch
from lightning_gan.components.spec import build
from lightning_gan.game.batches import read_batch

X, Y, MASK = torch.ones(2, 3), torch.zeros(2, 1), torch.ones(2)


@pytest.mark.parametrize("batch", [X, (X,), [X], Batch(X)])
def test_samples_alone(batch):
    read = prepare_batch(batch)
    assert read.real is X
    assert read.y is None
    assert read.extra == {}


@pytest.mark.parametrize("batch", [(X, Y), [X, Y]])
def test_a_pair(batch):
    assert prepare_batch(batch)[:2] == (X, Y)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"hr": X, "lr": Y}, r"got a dict of hr, lr; name its entries \('hr', 'lr'\).*BatchKeys"),
        ((X, Y, MASK), "got a tuple of 3 .*say which is which: prepare_batch=BatchKeys"),
        ("text", r"got str; let the data module's dataset yield \(x, y\) or x"),
        (None, "got NoneType"),
        ((), r"got a tuple of 0"),
    ],
)
def test_other_batches_are_told_what_to_do(batch, message):
    with pytest.raises(InputError, match=message):
        prepare_batch(batch)


@pytest.mark.parametrize(
    ("keys", "y", "extra"),
    [
        (BatchKeys("hr"), None, {}),
        (BatchKeys("hr", "lr"), Y, {}),
        (BatchKeys("hr", ["lr", "mask"]), {"lr": Y, "mask": MASK}, {}),
        (BatchKeys("hr", {"input": "lr"}, ["mask"]), {"input": Y}, {"mask": MASK}),
        (BatchKeys("hr", extra={"weight": "mask"}), None, {"weight": MASK}),
    ],
)
def test_entries_of_dicts(keys, y, extra):
    for reader in (keys, build(keys.spec())):
        read = read_batch(reader, {"hr": X, "lr": Y, "mask": MASK})
        assert read.real is X
        assert read.y is y if torch.is_tensor(y) else read.y == y
        assert read.extra == extra


def test_positions_of_tuples():
    read = read_batch(BatchKeys(1, 0, [2]), (Y, X, MASK))
    assert read == Batch(X, Y, {"2": MASK})


def test_entries_that_are_not_there():
    with pytest.raises(
        InputError, match="asks for the entry 'hrr', and a batch is a dict of hr, did"
    ):
        read_batch(BatchKeys("hrr"), {"hr": X})
    with pytest.raises(InputError, match="asks for the entry 5, and a batch is a tuple of 1"):
        read_batch(BatchKeys(5), (X,))
    with pytest.raises(InputError, match="the entry 'hr' of a batch must be a tensor of samples"):
        read_batch(BatchKeys("hr"), {"hr": "path"})


def test_a_function_may_return_a_pair():
    assert read_batch(lambda batch: (batch["a"], None), {"a": X})[:2] == (X, None)
    with pytest.raises(InputError, match="extra of a batch must be a mapping"):
        read_batch(lambda batch: Batch(X, None, [1]), None)


def test_a_module_trains_on_dicts_and_remembers_how(tmp_path):
    from torch.utils.data import DataLoader

    from lightning_gan import GANModule

    rows = [{"image": image, "path": "x.png"} for image in toys.images(8)]
    module = toys.gan(prepare_batch=BatchKeys("image"))
    run = toys.fit(tmp_path, module, steps=2, data=DataLoader(rows, batch_size=4))
    assert module.progress.images == 8
    run.save_checkpoint(tmp_path / "a.ckpt")
    again = GANModule.load_from_checkpoint(tmp_path / "a.ckpt")
    assert again.read({"image": X}).real is X
