"""The base class, the digits, random images, the configuration files, and a run under a Trainer."""

import importlib
import random
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from jsonargparse import ArgumentParser
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_gan import data
from lightning_gan.data import Digits, ImageData, RandomImages, base
from lightning_gan.data.loader import TensorLoader
from lightning_gan.errors import InputError

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "data").glob("*.yaml"))


def attached(module, **trainer):
    """Attach what the data module reads of a trainer."""
    defaults = {"global_rank": 0, "world_size": 1, "num_devices": 1, "overfit_batches": 0}
    module.trainer = SimpleNamespace(**{**defaults, **trainer})
    return module


def test_digits_are_known_before_setup():
    digits = Digits()
    assert digits.sample_shape == (1, 8, 8)
    assert digits.num_classes == 10
    assert Digits(labels=False).num_classes is None
    assert Digits(image_size=16).sample_shape == (1, 16, 16)


def test_printing_data_reads_none_and_keeps_the_place():
    digits = attached(Digits(batch_size=100), state=SimpleNamespace(fn="fit"))
    digits.load_state_dict({"resumed": True})
    assert str(digits) == "Digits, batches of 100"
    assert digits._images == {}
    assert digits._resumed == {"resumed": True}


def test_digits_are_split_without_overlap():
    from sklearn.datasets import load_digits

    digits = Digits()
    (train, train_labels), (test, test_labels) = digits.load("train"), digits.load("test")
    assert train.dtype == torch.uint8
    assert (len(train), len(test)) == (1500, 297)
    assert test_labels.bincount(minlength=10).min() >= 29
    assert (
        torch.cat([train_labels, test_labels]).bincount().tolist()
        == np.bincount(load_digits().target).tolist()
    )
    together = torch.cat([train, test]).flatten(1)
    scaled = torch.from_numpy(load_digits().data * 255 / 16).round().to(torch.uint8)
    assert sorted(together.tolist()) == sorted(scaled.tolist())
    assert (train.min(), train.max()) == (0, 255)
    assert torch.equal(digits.load("test")[0], test)  # the same split every time


def test_loaders_of_digits():
    digits = Digits(batch_size=100)
    digits.setup()
    x, y = next(iter(digits.train_dataloader()))
    assert x.shape == (100, 1, 8, 8)
    assert y.shape == (100,)
    assert (x.min(), x.max()) == (-1, 1)
    assert len(digits.train_dataloader()) == 15
    for loader in (digits.val_dataloader(), digits.test_dataloader(), digits.predict_dataloader()):
        assert [len(x) for x, _ in loader] == [100, 100, 97]
    first = next(iter(digits.train_dataloader()))[0]
    assert torch.equal(x, first)
    other = Digits(batch_size=100, seed=1)
    assert not torch.equal(next(iter(other.train_dataloader()))[0], x)


def test_labels_can_be_left_out():
    digits = Digits(labels=False)
    assert isinstance(next(iter(digits.train_dataloader())), torch.Tensor)


def test_resizing_agrees_with_the_mean_where_sizes_halve():
    # Antialiased bilinear halving of a smooth ramp keeps the ramp in the inner part.
    ramp = (torch.arange(16) * 16).to(torch.uint8).expand(1, 16, 16)

    class Ramp(RandomImages):
        def load(self, split):
            return ramp.repeat(1500, 1, 1, 1), None

    module = Ramp(shape=[1, 16, 16], image_size=8)
    module.setup()
    images, _ = module._split("train")
    assert images.dtype == torch.uint8
    assert images.shape == (1500, 1, 8, 8)  # more than one part
    inner = images[[0, -1], 0, :, 1:-1].long()
    assert (inner - (torch.arange(1, 7) * 32 + 8)).abs().max() <= 1


def test_images_are_loaded_once():
    calls = []

    class Counted(RandomImages):
        def load(self, split):
            calls.append(split)
            return super().load(split)

    module = Counted(n=64)
    module.setup("validate")
    assert calls == ["test"]
    module.setup("fit")
    module.setup("fit")
    module.train_dataloader()
    module.val_dataloader()
    assert sorted(calls) == ["test", "train"]


def test_too_few_images():
    with pytest.raises(InputError) as caught:
        RandomImages(n=10, batch_size=64).setup("fit")
    assert str(caught.value) == (
        "10 training images are too few for a batch of 64: set batch_size to 10 or less"
    )
    with pytest.raises(InputError) as caught:
        attached(RandomImages(n=10, batch_size=8), world_size=3).setup("fit")
    assert str(caught.value) == (
        "10 training images are too few for a batch of 8 on each of 3 processes: "
        "set batch_size to 3 or less"
    )


def test_too_much_memory(monkeypatch):
    monkeypatch.setattr(base, "available_memory", lambda: 50_000)
    with pytest.raises(InputError) as caught:
        RandomImages(n=64, image_size=32).setup("fit")
    assert str(caught.value) == (
        "64 images of 1x32x32 need 6.55e-05 GB of memory and 5e-05 GB are available: "
        "set image_size to a smaller size"
    )
    RandomImages(n=32, image_size=32, batch_size=8).setup("fit")
    with pytest.raises(InputError, match=r"need 6.55e-05 GB"):  # one copy on each device
        attached(RandomImages(n=32, image_size=32, batch_size=8), num_devices=2).setup("fit")


def test_available_memory_is_plausible(tmp_path, monkeypatch):
    assert 1e7 < base.available_memory() < 1e15
    monkeypatch.setattr("lightning_gan.data.memory.ROOT", tmp_path)
    assert 1e7 < base.available_memory() < 1e15
    monkeypatch.delattr("os.sysconf")
    assert base.available_memory() is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"image_size": 0}, "image_size must be at least 1 or null, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        (
            {"n": 0},
            r"shape, n and num_classes must be at least 1, got \[1, 8, 8\], 0",
        ),
        ({"shape": []}, r"must be at least 1, got \[\], 1024 and None"),
        ({"num_classes": 0}, r"got \[1, 8, 8\], 1024 and 0"),
        ({"shape": [5], "image_size": 8}, r"image_size is for images of shape \[C, H, W\]"),
    ],
)
def test_wrong_arguments(options, said):
    with pytest.raises(InputError, match=said):
        RandomImages(**options)


def test_random_images_are_a_function_of_the_seed():
    def drawn(seed, split):
        return RandomImages(shape=[5], n=16, num_classes=3, seed=seed).load(split)

    before = torch.get_rng_state().tolist(), random.getstate()
    samples, labels = drawn(0, "train")
    assert samples.shape == (16, 5)
    assert set(labels.tolist()) == {0, 1, 2}
    assert torch.equal(samples, drawn(0, "train")[0])
    for other in (drawn(0, "test"), drawn(1, "train"), drawn(1, "test")):
        assert not torch.equal(samples, other[0])
    assert (torch.get_rng_state().tolist(), random.getstate()) == before


def test_random_images_need_no_labels():
    module = RandomImages(n=64)
    assert module.num_classes is None
    assert RandomImages(num_classes=4).num_classes == 4
    assert next(iter(module.train_dataloader())).shape == (64, 1, 8, 8)


def test_processes_share_the_images():
    def shares(loader):
        modules = [
            attached(RandomImages([1], n=101, batch_size=10), global_rank=rank, world_size=2)
            for rank in range(2)
        ]
        return [torch.cat(list(getattr(module, loader)())).tolist() for module in modules]

    both = [len(share) for share in shares("train_dataloader")]
    assert both == [50, 50]
    images = RandomImages([1], n=101).load("test")[0].float() / 127.5 - 1
    assert sorted(x for share in shares("val_dataloader") for x in share) == sorted(images.tolist())


def test_overfitting_keeps_the_batches():
    module = attached(RandomImages([1], n=32, batch_size=8), overfit_batches=2)
    loader = module.train_dataloader()
    assert torch.equal(next(iter(loader)), next(iter(loader)))


@pytest.mark.parametrize("name", data.__all__)
def test_public_names(name):
    assert getattr(data, name).__name__ == name
    assert name in dir(data)


def test_unknown_name():
    with pytest.raises(AttributeError, match="has no attribute 'Photos'"):
        data.Photos  # noqa: B018


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configuration_files_build(path, tmp_path):
    lines = path.read_text().splitlines()
    assert lines[0] == "# @package data"
    assert lines[1].startswith("# ")
    config = yaml.safe_load(path.read_text())
    if path.stem == "folder":
        from PIL import Image

        Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
        config["init_args"]["root"] = str(tmp_path)
    if path.stem == "arrays":
        np.save(tmp_path / "images.npy", np.zeros((2, 3, 4, 4), np.uint8))
        config["init_args"]["root"] = str(tmp_path)
    module, _, name = config["class_path"].rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), name), ImageData)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(pl.LightningDataModule, "data")
    built = parser.instantiate(parser.parse_object({"data": config})).data
    assert type(built).__name__ == name
    given = config["init_args"]
    assert (built.batch_size, built.labels) == (given["batch_size"], given["labels"])
    assert len(built.sample_shape) == (1 if "mixture" in path.stem else 3)


def test_there_are_configuration_files():
    names = [path.stem for path in CONFIGS]
    images = ["arrays", "cifar10", "digits", "fashion_mnist", "folder", "mnist", "random"]
    assert names == sorted([*images, "mixture_grid", "mixture_ring", "stacked_mnist"])


class Recorder(pl.LightningModule):
    def __init__(self, estimates=False):
        super().__init__()
        self.number = torch.nn.Parameter(torch.zeros(()))
        self.estimates = estimates
        self.seen = []

    def training_step(self, batch, batch_idx):
        self.seen.append(batch.sum().item())
        return (self.number - batch.mean()) ** 2

    def configure_optimizers(self):
        if self.estimates:
            assert self.trainer.estimated_stepping_batches
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(folder, module, ckpt=None, callbacks=(), datamodule=None, **options):
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=folder, callbacks=list(callbacks), enable_checkpointing=bool(callbacks),
        limit_val_batches=0, **options,
    )  # fmt: skip
    datamodule = datamodule or RandomImages([3], n=41, batch_size=8)
    with warnings.catch_warnings():
        for text in (".*validation_step.*", ".*callbacks used to create the checkpoint.*"):
            warnings.filterwarnings("ignore", text)
        trainer.fit(module, datamodule=datamodule, ckpt_path=ckpt)
    return module.seen


@pytest.mark.parametrize("estimates", [False, True])
@pytest.mark.parametrize("options", [{}, {"limit_train_batches": 3}], ids=["whole", "cut"])
@pytest.mark.parametrize("by", ["batch", "epoch"])
def test_resumed_run_sees_the_batches_of_an_uninterrupted_one(tmp_path, options, by, estimates):
    saver = ModelCheckpoint(
        tmp_path, "{step}", save_top_k=-1,
        **({"every_n_train_steps": 1} if by == "batch" else {"save_on_train_epoch_end": True}),
    )  # fmt: skip
    whole = fit(tmp_path, Recorder(estimates), callbacks=[saver], max_epochs=3, **options)
    assert len(whole) == len(set(whole)) == (9 if options else 15)
    for path in sorted(tmp_path.glob("*.ckpt")):
        step = int(path.stem.removeprefix("step="))
        if step < len(whole):
            rest = fit(tmp_path, Recorder(estimates), path, max_epochs=3, **options)
            assert rest == whole[step:]


def test_new_fit_of_a_used_data_module_begins_at_the_beginning(tmp_path):
    module = RandomImages([3], n=41, batch_size=8)
    first = fit(tmp_path, Recorder(), datamodule=module, max_steps=3)
    assert fit(tmp_path, Recorder(), datamodule=module, max_steps=3) == first


class Copies(TorchDispatchMode):
    """Counts copies to the meta device."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        copies = function is torch.ops.aten._to_copy.default
        self.count += copies and kwargs.get("device") == torch.device("meta")
        return function(*args, **kwargs)


def test_nothing_is_copied_to_the_device_for_a_batch():
    """Every copy to a GPU makes the host wait for all that it was told before."""
    images = torch.empty(64, 1, 4, 4, dtype=torch.uint8, device="meta")
    labels = torch.empty(64, dtype=torch.int64, device="meta")
    loader = TensorLoader(images, labels, batch_size=8, shuffle=True)
    with Copies() as copies:
        assert len(list(loader)) == 8
        assert copies.count == 1  # the order of the epoch
        assert len(list(loader)) == 8
        assert copies.count == 2


def test_images_can_be_kept_on_the_device_that_trains():
    """The meta device stands for a GPU: it holds shapes alone, and mixes with no other device."""
    data = RandomImages(shape=(1, 4, 4), n=64, num_classes=3, batch_size=8, on_device=True)
    data.trainer = SimpleNamespace(
        global_rank=0,
        world_size=1,
        num_devices=1,
        overfit_batches=0,
        state=SimpleNamespace(fn="fit"),
        strategy=SimpleNamespace(root_device=torch.device("meta")),
    )
    data.setup("fit")
    x, y = next(iter(data.train_dataloader()))
    assert x.device.type == y.device.type == "meta"
    assert x.shape == (8, 1, 4, 4)
    assert x.dtype == torch.float32
    assert data.images("train")[0].device.type == "cpu"  # for whoever asks beside training
    data.on_device = False
    x, y = next(iter(data.train_dataloader()))
    assert x.device.type == y.device.type == "cpu"
