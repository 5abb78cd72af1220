"""Devices that are not here and seeds that are none are said in one sentence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import toys

from lightning_gan import GANModule, InputError
from lightning_gan.export import export_generator, load_generator
from lightning_gan.game import randomness
from lightning_gan.game.devices import device_of

HERE = "there is no such device here; leave it out, or choose of 'cpu'"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    gan = toys.gan()
    toys.fit(folder, gan, steps=1).save_checkpoint(folder / "x.ckpt", weights_only=False)
    export_generator(gan, folder / "exported")
    return folder


@pytest.mark.parametrize("given", ["cuda", "cuda:0", torch.device("cuda", 1), 0, "gpu", "mps:9"])
def test_a_device_that_is_not_here(saved, given):
    for load in (
        lambda: GANModule.load_from_checkpoint(saved / "x.ckpt", map_location=given),
        lambda: load_generator(saved / "exported", map_location=given),
    ):
        with pytest.raises(InputError, match=f"^map_location='{given}': {HERE}$"):
            load()


@pytest.mark.parametrize("given", [{"cuda:0": "cpu"}, lambda storage, place: storage, True, 1.0])
def test_what_is_no_one_device(given):
    with pytest.raises(InputError, match="^map_location must be one device, such as 'cpu' or 'cud"):
        device_of(given)


@pytest.mark.parametrize("given", [None, "cpu", torch.device("cpu")])
def test_a_device_that_is_here(saved, given):
    found = GANModule.load_from_checkpoint(saved / "x.ckpt", map_location=given)
    assert found.device == torch.device("cpu")
    assert load_generator(saved / "exported", map_location=given)(torch.zeros(1, 3)).shape[0] == 1


def test_gpus_that_are_here_are_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match="choose of 'cpu', 'cuda:0', 'cuda:1'$"):
        device_of("gpu")


@pytest.mark.parametrize("seed", [-1, 2**64, -(2**63), 1.0, "3", True, torch.tensor(3)])
def test_what_is_no_seed(seed):
    with pytest.raises(InputError, match=f"^seed must be a whole number from 0 to {2**64 - 1}, go"):
        toys.gan().sample(1, seed=seed)


@pytest.mark.parametrize("seed", [0, 2**32, 2**64 - 1, np.int64(7)])
def test_what_is_one(seed):
    gan = toys.gan()
    assert torch.equal(gan.sample(2, seed=seed), gan.sample(2, seed=int(seed)))
    assert not torch.equal(gan.sample(2, seed=seed), gan.sample(2, seed=int(seed) ^ 1))


def test_the_seed_of_seed_everything(monkeypatch):
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    assert randomness.chosen_seed() is None
    for text, seed in (("", None), (" 3 ", 3), ("4294967295", 2**32 - 1)):
        monkeypatch.setenv("PL_GLOBAL_SEED", text)
        assert randomness.chosen_seed() == seed
