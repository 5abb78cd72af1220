"""Real images for an evaluation, from our data modules and from others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import toys
from pytorch_lightning import LightningDataModule

from lightning_gan.data import MNIST, Digits, RandomImages
from lightning_gan.errors import InputError
from lightning_gan.evaluation.reals import fingerprint, number_of_classes, real_images


class Foreign(LightningDataModule):
    """Twelve images in three batches, labeled or not."""

    def __init__(self, labels=None):
        super().__init__()
        self.x, self.y = toys.images(12), labels

    def train_dataloader(self):
        return toys.loader(self.x, self.y, batch_size=4)


# The public method of our data modules ----------------------------------------------------------


def test_images_of_a_split():
    data = Digits()
    images, labels = data.images("train")
    assert images.dtype == torch.uint8
    assert images.shape == (1500, 1, 8, 8)
    assert labels.shape == (1500,)
    assert labels.dtype == torch.int64
    assert len(data.images("test")[0]) == 297
    assert data.images("train")[0] is images
    assert Digits(image_size=4).images("test")[0].shape == (297, 1, 4, 4)


def test_images_come_with_the_labels_that_batches_have_unless_told_otherwise():
    assert Digits(labels=False).images("test")[1] is None
    assert Digits(labels=False).images("test", labels=True)[1].shape == (297,)
    assert Digits().images("test", labels=False)[1] is None


def test_images_of_no_split():
    with pytest.raises(InputError, match="split must be 'train' or 'test', got 'val'"):
        Digits().images("val")


def test_images_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="MNIST is not in data.root .*: put train-images"):
        MNIST(str(tmp_path), download=False).images("train")


# For an evaluation ------------------------------------------------------------------------------


def test_a_subset_depends_on_the_numbers_alone():
    data = RandomImages(n=50, num_classes=3)
    images, labels = data.images("train")
    found, again = real_images(data, "train", 20), real_images(RandomImages(n=50), "train", 20)
    assert torch.equal(found.images, again.images)
    assert found.order == "subset"
    places = [int((images == image).flatten(1).all(1).nonzero()) for image in found.images]
    assert len(set(places)) == 20
    assert places != sorted(places)
    assert torch.equal(found.labels, labels[places])
    whole = real_images(data, "train", 60)
    assert whole.order == "all"
    assert torch.equal(whole.images, images)


def test_labels_count_even_where_batches_have_none():
    data = Digits(labels=False)
    assert number_of_classes(data, real_images(data, "train", 9)) == 10
    data = RandomImages()
    assert number_of_classes(data, real_images(data, "train", 9)) is None


@pytest.mark.parametrize("n", [6, 8, 12, 99, None])
def test_the_first_images_of_a_foreign_loader(n):
    data = Foreign(torch.arange(12) % 3)
    found = real_images(data, "train", n)
    expected = data.x[:n].add(1).mul(127.5).round().to(torch.uint8)
    assert torch.equal(found.images, expected)
    assert torch.equal(found.labels, data.y[:n])
    assert found.order == "as the loader gave them"
    assert number_of_classes(data, found) == 3


@pytest.mark.parametrize("labels", [None, torch.zeros(12), torch.zeros(12, 2)])
def test_what_is_no_class_is_no_label(labels):
    data = Foreign(labels)
    assert real_images(data, "train").labels is None


def test_a_foreign_module_may_tell_its_classes():
    data = Foreign(torch.zeros(12, dtype=torch.int64))
    data.num_classes = 5
    assert number_of_classes(data, real_images(data, "train")) == 5


def test_a_split_without_a_loader():
    with pytest.raises(InputError) as caught:
        real_images(Foreign(), "test")
    assert str(caught.value) == (
        "evaluation on the split 'test' needs Foreign.test_dataloader to return one loader of "
        "images, got none: define it, or choose the other split"
    )


def test_several_loaders():
    data = Foreign()
    data.train_dataloader = lambda: {"a": toys.loader()}
    with pytest.raises(InputError, match="to return one loader of images, got dict: define it"):
        real_images(data, "train")


def test_a_loader_without_images():
    data = Foreign()
    data.train_dataloader = lambda: []
    with pytest.raises(InputError, match="got list"):
        real_images(data, "train")
    data.train_dataloader = lambda: iter(())
    with pytest.raises(InputError, match="needs real images, but the data module's loader yields"):
        real_images(data, "train", 4)


def test_an_endless_loader_serves_some_images_but_not_all():
    data = Foreign()
    data.train_dataloader = lambda: iter([toys.images(8)] * 3)
    assert len(real_images(data, "train", 10).images) == 10
    with pytest.raises(InputError, match="the judge needs all labeled images, .* no length: set"):
        real_images(data, "train")


@pytest.mark.parametrize("data", [RandomImages(shape=(5,)), Foreign()])
def test_samples_that_are_no_images(data):
    data.x = torch.zeros(12, 5)
    with pytest.raises(InputError) as caught:
        real_images(data, "train", 4)
    assert str(caught.value) == (
        "evaluation expects images of shape (C, H, W), the data have samples of shape (5,): "
        "leave evaluation out for them"
    )


def test_a_fingerprint_tells_images_and_their_shape_apart():
    images = torch.from_numpy(np.arange(8, dtype=np.uint8)).view(2, 1, 2, 2)
    assert fingerprint(images) == fingerprint(images.clone())
    others = (images + 1, images.view(1, 2, 2, 2), images.transpose(2, 3))
    assert len({fingerprint(x) for x in (images, *others)}) == 4
