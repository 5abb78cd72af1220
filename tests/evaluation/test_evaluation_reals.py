"""Real images for an evaluation, from our data modules and from others."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
import toys
from pytorch_lightning import LightningDataModule
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from lightning_gan.data import MNIST, Digits, RandomImages
from lightning_gan.errors import InputError
from lightning_gan.evaluation.reals import number_of_classes, real_images


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
    with pytest.raises(InputError, match="MNIST is not in root .*: put train-images"):
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


class Numbered(Dataset):
    """Image i is i everywhere, and its class is i // 10; random noise on demand."""

    def __init__(self, n=40, noise=lambda: 0):
        self.n, self.noise = n, noise

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return torch.full((1, 2, 2), i + self.noise(), dtype=torch.uint8), i // 10


class Stream(IterableDataset):
    def __iter__(self):
        return iter(Numbered()[i] for i in range(40))


def foreign(dataset=None, **options):
    data = Foreign()
    loader = DataLoader(dataset or Numbered(), batch_size=8, **options)
    data.train_dataloader = lambda: loader
    return data


def numbers(found):
    return found.images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("n", [40, 99, None])
def test_all_images_of_a_foreign_dataset(n):
    found = real_images(foreign(shuffle=True, drop_last=True), "train", n)
    assert numbers(found) == list(range(40))
    assert torch.equal(found.labels, torch.arange(40) // 10)
    assert found.order == "all"


def test_images_of_floats_are_rounded():
    data = Foreign(torch.arange(12) % 3)
    found = real_images(data, "train")
    assert torch.equal(found.images, data.x.add(1).mul(127.5).round().to(torch.uint8))
    assert number_of_classes(data, found) == 3


def test_a_subset_of_a_foreign_dataset_has_all_classes_and_depends_on_nothing_else():
    torch.manual_seed(1)
    one = real_images(foreign(), "train", 12)
    torch.manual_seed(2)
    other = real_images(foreign(shuffle=True), "train", 12)
    assert numbers(one) == numbers(other)
    assert len(set(numbers(one))) == 12
    assert one.labels.unique().tolist() == [0, 1, 2, 3]
    assert torch.equal(one.labels, one.images[:, 0, 0, 0].long() // 10)
    assert one.order == other.order == "subset"


def test_the_samples_of_a_subset_sampler_are_the_split():
    found = real_images(foreign(sampler=SubsetRandomSampler(range(5, 15))), "train", 8)
    assert len(set(numbers(found))) == 8
    assert set(numbers(found)) <= set(range(5, 15))


@pytest.mark.parametrize(
    "noise",
    [
        lambda: int(torch.randint(200, ())),
        lambda: int(np.random.randint(200)),
        lambda: random.randrange(200),
    ],
)
def test_random_transforms_repeat_and_leave_the_random_states(noise):
    data = foreign(Numbered(noise=noise))
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    expected = noise()
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    one = numbers(real_images(data, "train", 12))
    assert noise() == expected
    assert numbers(real_images(data, "train", 12)) == one


@pytest.mark.parametrize("dataset", [Numbered(), Stream()])
def test_the_loaders_own_generator_stays(dataset):
    generator = torch.Generator().manual_seed(3)
    before = generator.get_state()
    shuffle = {} if isinstance(dataset, Stream) else {"shuffle": True}
    real_images(foreign(dataset, generator=generator, **shuffle), "train", 12)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize(
    "options",
    [
        {"dataset": Stream()},
        {"sampler": WeightedRandomSampler([1.0] * 3 + [0.0] * 37, 40)},
    ],
)
def test_other_loaders_give_what_they_give(options):
    found = real_images(foreign(**options), "train", 6)
    assert len(found.images) == 6
    assert max(numbers(found)) <= 5
    assert found.order == "as the loader gave them"


@pytest.mark.parametrize("whole", [False, True])
def test_classes_are_counted_over_the_split_where_labels_are_at_hand(whole):
    rare = TensorDataset(toys.images(30), torch.tensor([0] * 29 + [6]))
    data = foreign(rare if whole else Subset(rare, range(29)))
    found = real_images(data, "train", 2)
    assert found.labels.tolist() == [0, 0]
    assert number_of_classes(data, found) == 7
    dataset = Numbered()
    dataset.targets = [0] * 39 + [8]
    assert real_images(foreign(dataset), "train", 12).num_classes == 9
    dataset.targets = ["a"] * 40
    assert real_images(foreign(dataset), "train", 12).num_classes == 4


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
