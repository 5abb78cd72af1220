"""MNIST, Fashion-MNIST and CIFAR-10 from tiny files in their own formats; nothing is downloaded."""

import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets
from torchvision.datasets import cifar

from lightning_gan.data import CIFAR10, MNIST, FashionMNIST
from lightning_gan.errors import InputError

SHARED = Path(
    os.environ.get("LIGHTNING_GAN_DATA", Path(__file__).parents[2].parent / "shared" / "data")
)


def write_idx(path, array):
    """Write an IDX file: magic number (type 8 = uint8, number of axes), sizes, bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def write_mnist(root, name="MNIST"):
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    for part, n in (("train", 12), ("t10k", 5)):
        images = np.arange(n)[:, None, None] + np.zeros((n, 28, 28), int)
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(n) % 10)
    return raw


def write_cifar(root, monkeypatch):
    """Write pickled batches; their MD5 sums cannot be the published ones, so the check is off."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for number, name in enumerate([f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]):
        planes = np.repeat(np.array([number, 100, 200], np.uint8), 1024)
        batch = {"data": np.tile(planes, (2, 1)), "labels": [number, 9]}
        (folder / name).write_bytes(pickle.dumps(batch))
    names = {"label_names": list("abcdefghij")}
    (folder / "batches.meta").write_bytes(pickle.dumps(names))
    monkeypatch.setattr(cifar, "check_integrity", lambda path, md5=None: os.path.isfile(path))
    return folder


def no_download(monkeypatch, cls):
    def fail(self):
        raise RuntimeError("Error downloading:\nno network")

    monkeypatch.setattr(cls, "download", fail)


@pytest.mark.parametrize("cls", [MNIST, FashionMNIST])
def test_idx_sets(tmp_path, cls):
    write_mnist(tmp_path, cls.__name__)
    module = cls(str(tmp_path), download=False, batch_size=4)
    module.prepare_data()
    module.setup()
    train, labels = module.load("train")
    assert train.shape == (12, 1, 28, 28)
    assert train[:, 0, 5, 5].tolist() == list(range(12))
    assert labels.tolist() == [*range(10), 0, 1]
    assert labels.dtype == torch.int64
    assert [y.tolist() for _, y in module.test_dataloader()] == [[0, 1, 2, 3], [4]]


def test_idx_sets_are_resized(tmp_path):
    write_mnist(tmp_path)
    module = MNIST(str(tmp_path), image_size=32, batch_size=4)
    module.prepare_data()
    x, _ = next(iter(module.test_dataloader()))
    assert x.shape == (4, 1, 32, 32)
    torch.testing.assert_close(x[3], torch.full((1, 32, 32), 3 / 127.5 - 1))


@pytest.mark.parametrize(
    ("cls", "shape"), [(MNIST, (1, 28, 28)), (FashionMNIST, (1, 28, 28)), (CIFAR10, (3, 32, 32))]
)
def test_shapes_are_known_without_files(cls, shape):
    module = cls("/no/such/folder")
    assert module.sample_shape == shape
    assert module.num_classes == 10
    assert cls(image_size=16).sample_shape == (shape[0], 16, 16)


def test_cifar(tmp_path, monkeypatch):
    write_cifar(tmp_path, monkeypatch)
    module = CIFAR10(str(tmp_path), download=False, batch_size=4)
    module.prepare_data()
    module.setup()
    images, labels = module.load("train")
    assert images.shape == (10, 3, 32, 32)
    assert images.is_contiguous()
    assert images[2, :, 7, 9].tolist() == [1, 100, 200]
    assert labels.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]
    assert module.load("test")[1].tolist() == [5, 9]


def test_download_only_what_is_absent(tmp_path, monkeypatch):
    fetched = []

    def write(self):
        fetched.append(Path(self.root))
        write_mnist(Path(self.root))

    monkeypatch.setattr(datasets.MNIST, "download", write)
    module = MNIST(str(tmp_path))
    module.prepare_data()
    module.prepare_data()
    assert fetched == [tmp_path]
    module.setup("validate")
    assert len(module.load("test")[0]) == 5


def said_by(module, step="prepare_data"):
    with pytest.raises(InputError) as caught:
        getattr(module, step)()
    return str(caught.value)


def test_absent_files_without_download(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    expected = (
        f"MNIST is not in root {tmp_path}: put train-images-idx3-ubyte, "
        "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte into "
        f"{raw}, or set root to the folder that holds MNIST/raw, or download to true."
    )
    assert said_by(MNIST(str(tmp_path), download=False)) == expected
    assert said_by(MNIST(str(tmp_path)), "setup") == expected
    write_mnist(tmp_path)
    (raw / "t10k-labels-idx1-ubyte").unlink()
    assert f"put t10k-labels-idx1-ubyte into {raw}" in said_by(MNIST(str(tmp_path), download=False))


def test_absent_root_names_its_neighbor(tmp_path):
    (tmp_path / "datasets").mkdir()
    root = tmp_path / "dataset"
    assert f"(there is no folder {root}, did you mean 'datasets'?)" in said_by(
        CIFAR10(str(root), download=False)
    )


@pytest.mark.parametrize("cls", [MNIST, CIFAR10])
def test_failed_download(tmp_path, monkeypatch, cls):
    no_download(monkeypatch, getattr(datasets, cls.__name__))
    said = said_by(cls(str(tmp_path)))
    assert f"into {tmp_path / cls.folder}" in said
    assert said.endswith("The download failed: Error downloading: no network")


@pytest.mark.parametrize("given", ["MNIST", "MNIST/raw"])
@pytest.mark.parametrize("step", ["prepare_data", "setup"])
def test_own_folder_as_root(tmp_path, monkeypatch, given, step):
    no_download(monkeypatch, datasets.MNIST)
    write_mnist(tmp_path)
    assert said_by(MNIST(str(tmp_path / given)), step) == (
        f"root is the folder that holds MNIST/raw, got {tmp_path / given}: set root to {tmp_path}"
    )


def test_own_folder_of_cifar_as_root(tmp_path, monkeypatch):
    folder = write_cifar(tmp_path, monkeypatch)
    assert said_by(CIFAR10(str(folder))).endswith(f"set root to {tmp_path}")


def test_new_folder_beside_existing_data_is_no_mistake(tmp_path):
    write_mnist(tmp_path)
    assert "MNIST is not in root" in said_by(MNIST(str(tmp_path / "new"), download=False))


@pytest.mark.parametrize("length", [0, 3, 100])
def test_damaged_idx_file(tmp_path, length):
    path = write_mnist(tmp_path) / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:length])
    assert said_by(MNIST(str(tmp_path)), "setup") == (
        f"{path} is damaged or not an IDX file: replace it, or delete it to download it again"
    )


def test_images_and_labels_of_different_sets(tmp_path):
    raw = write_mnist(tmp_path)
    write_idx(raw / "t10k-labels-idx1-ubyte", np.arange(4))
    assert said_by(MNIST(str(tmp_path)), "setup") == (
        f"{raw} has 5 images in t10k-images-idx3-ubyte and 4 labels in t10k-labels-idx1-ubyte: "
        "replace both files"
    )


def test_damaged_cifar_file(tmp_path, monkeypatch):
    with monkeypatch.context() as checks_off:
        folder = write_cifar(tmp_path, checks_off)
    assert said_by(CIFAR10(str(tmp_path)), "setup") == (
        f"{folder / 'data_batch_1'} is damaged (wrong MD5 sum): "
        "replace it, or delete it to download it again"
    )


def test_real_mnist():
    if not (SHARED / "MNIST" / "raw").is_dir():
        pytest.skip(f"{SHARED} has no MNIST/raw; set LIGHTNING_GAN_DATA to the folder that has")
    module = MNIST(str(SHARED), download=False, batch_size=100)
    module.prepare_data()
    module.setup("test")
    x, y = next(iter(module.test_dataloader()))
    assert y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert x.shape == (100, 1, 28, 28)
    assert -0.8 < x.mean() < -0.6
