"""Stacked MNIST: the same images for everybody, from MNIST's files."""

from __future__ import annotations

import pytest
import torch
from test_data_torchvision import SHARED, write_mnist

from lightning_gan.data import StackedMNIST
from lightning_gan.data.stacked_mnist import choose_digits
from lightning_gan.errors import InputError
from lightning_gan.files.fingerprint import fingerprint


def made(root, **options):
    write_mnist(root)  # image i of a split is filled with the value i, and shows the digit i % 10
    data = StackedMNIST(str(root), **{"download": False, "n": 60, "batch_size": 4, **options})
    data.prepare_data()
    data.setup()
    return data


def test_the_digits_are_the_same_for_everybody():
    first = choose_digits(4, 60_000, "train")
    assert first.tolist() == [
        [34271, 11617, 56024],
        [45533, 34971, 34894],
        [42207, 11557, 16863],
        [21901, 50060, 52144],
    ]
    assert torch.equal(choose_digits(1000, 60_000, "train")[:4], first)
    assert choose_digits(2, 10_000, "test").tolist() == [[6127, 2086, 7885], [7778, 7689, 8904]]


def test_digits_are_drawn_alike_and_independently():
    chosen = choose_digits(20_000, 10, "train")
    joint = (chosen * torch.tensor([100, 10, 1])).sum(1).bincount(minlength=1000)
    expected = torch.full((1000,), 20.0)
    # Chi-square with 999 degrees of freedom: 999 +- 45.
    assert ((joint - expected).square() / expected).sum() == pytest.approx(999, abs=5 * 45)


def test_stacks(tmp_path):
    data = made(tmp_path, labels=True)
    images, labels = data.load("train")
    assert images.shape == (60, 3, 28, 28)
    assert images.dtype == torch.uint8
    chosen = choose_digits(60, 12, "train")
    assert torch.equal(images[:, :, 5, 5], chosen.to(torch.uint8))
    digits = chosen % 10
    assert torch.equal(labels, 100 * digits[:, 0] + 10 * digits[:, 1] + digits[:, 2])
    test, _ = data.load("test")
    assert torch.equal(test[:, :, 9, 9], choose_digits(10, 5, "test").to(torch.uint8))
    x, y = next(iter(data.train_dataloader()))
    assert x.shape == (4, 3, 28, 28)
    assert y.dtype == torch.int64
    assert data.num_classes == 1000


def test_without_labels_by_default(tmp_path):
    data = made(tmp_path)
    assert data.num_classes is None
    assert next(iter(data.train_dataloader())).shape == (4, 3, 28, 28)


def test_the_seed_changes_the_order_alone(tmp_path):
    one, other = made(tmp_path), StackedMNIST(str(tmp_path), n=60, batch_size=4, seed=1)
    assert torch.equal(one.images("train")[0], other.images("train")[0])
    first, second = (next(iter(data.train_dataloader())) for data in (one, other))
    assert not torch.equal(first, second)


def test_larger_images(tmp_path):
    data = made(tmp_path, image_size=32)
    assert data.sample_shape == (3, 32, 32)
    assert next(iter(data.train_dataloader())).shape == (4, 3, 32, 32)
    assert data.channel_data.sample_shape == (1, 32, 32)


def test_shares_are_the_products_of_the_digits(tmp_path):
    shares = made(tmp_path).class_shares  # of 12 images 0 and 1 are two each, the others one
    assert shares.sum().item() == pytest.approx(1)
    assert shares[0].item() == pytest.approx((2 / 12) ** 3)
    assert shares[152].item() == pytest.approx(2 / 12**3)
    assert shares[159].item() == pytest.approx(2 / 12**3)


def test_shape_and_classes_are_known_without_files():
    data = StackedMNIST("/no/such/folder", labels=True)
    assert (data.sample_shape, data.num_classes) == ((3, 28, 28), 1000)


def test_absent_files_and_wrong_arguments(tmp_path):
    with pytest.raises(InputError, match="StackedMNIST is not in root .*: put train-images-idx3"):
        StackedMNIST(str(tmp_path), download=False).prepare_data()
    with pytest.raises(InputError, match="n must be at least 6, got 5"):
        StackedMNIST(n=5)


def test_files_are_fetched_as_mnist(tmp_path, monkeypatch):
    from torchvision import datasets

    monkeypatch.setattr(datasets.MNIST, "download", lambda self: write_mnist(tmp_path))
    data = StackedMNIST(str(tmp_path), n=60)
    data.prepare_data()
    assert data.load("train")[0].shape == (60, 3, 28, 28)


def test_real_stacks():
    if not (SHARED / "MNIST" / "raw").is_dir():
        pytest.skip(f"{SHARED} has no MNIST/raw; set LIGHTNING_GAN_DATA to the folder that has")
    data = StackedMNIST(str(SHARED), download=False, n=600, labels=True)
    images, labels = data.load("train")
    assert labels[:8].tolist() == [695, 746, 694, 652, 282, 139, 804, 78]
    assert fingerprint(images, labels) == (
        "478e9725a3c4459144f870e7ff4521680a778b8e05986b77e30627981b938a36"
    )
