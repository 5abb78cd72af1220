"""What is held out: every class keeps an image to train on, or it is said."""

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gan.data import ArrayImages, ImageFolder
from lightning_gan.data.holdout import Holdout


def parts(holdout):
    return [holdout.places(split).tolist() for split in ("train", "test")]


@pytest.mark.parametrize("n", [2, 7, 100])
@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.9])
def test_without_classes_chance_alone_decides(n, fraction):
    holdout = Holdout(n, fraction)
    train, test = parts(holdout)
    assert sorted(train + test) == list(range(n))
    assert holdout.size == len(test) == min(max(1, round(n * fraction)), n - 1)
    order = np.random.default_rng(0).permutation(n)
    assert test == sorted(order[: len(test)].tolist())
    assert holdout.shortage() is None


def test_common_classes_change_nothing():
    labels = torch.arange(100) % 3
    assert parts(Holdout(100, 0.2, labels)) == parts(Holdout(100, 0.2))


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.7, 0.9])
def test_every_class_keeps_an_image(fraction):
    labels = torch.tensor([0, 1, 2, 3, 4] + [5] * 15)  # five classes of one image
    holdout = Holdout(20, fraction, labels)
    train, test = parts(holdout)
    assert sorted(train + test) == list(range(20))
    assert set(labels[train].tolist()) == set(range(6))
    assert len(test) == min(round(20 * fraction), 14)
    if fraction == 0.9:
        assert holdout.shortage() == (
            "holding out 18 of 20 images would leave some classes no image to train on: "
            "14 are held out"
        )
    else:
        assert holdout.shortage() is None


def test_one_image_a_class_is_said(tmp_path):
    for name in "abc":
        (tmp_path / name).mkdir()
        Image.new("L", (2, 2)).save(tmp_path / name / "0.png")
    said = (
        "holding out 1 of 3 images would leave some classes no image to train on: "
        "validation takes all images, too"
    )
    with pytest.warns(UserWarning, match=f"^{tmp_path}: {said}$"):
        module = ImageFolder(str(tmp_path))
    assert [module.count(split) for split in ("train", "test")] == [3, 3]
    np.save(tmp_path / "images.npy", np.zeros((3, 1, 2, 2), np.uint8))
    np.save(tmp_path / "labels.npy", np.arange(3))
    with pytest.warns(UserWarning, match=f"^{tmp_path}: {said}$"):
        assert ArrayImages(str(tmp_path)).count("train") == 3
