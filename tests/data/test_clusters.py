"""Equally large groups of images that look alike, in place of classes."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import toys

from lightning_gan.callbacks.head import head
from lightning_gan.callbacks.health.monitor import _class_count
from lightning_gan.data import Digits, RandomImages, clusters
from lightning_gan.data.clusters import Clusters, find_clusters
from lightning_gan.errors import InputError


def blobs(*sizes):
    """Rows around (0, 0), (10, 0), (20, 0)..., so many around each."""
    generator = torch.Generator().manual_seed(0)
    return torch.cat(
        [
            torch.randn(n, 2, generator=generator) + torch.tensor([10.0 * k, 0])
            for k, n in enumerate(sizes)
        ]
    )


def train(tmp_path, data, steps, **options):
    network = {"sample_shape": (1, 4, 4), "num_classes": 4}
    generator, discriminator = toys.generator(**network), toys.discriminator(**network)
    run = toys.trainer(tmp_path, max_steps=steps)
    run.fit(toys.gan(generator=generator, discriminator=discriminator), data, **options)
    return run


def data_of_40(**options):
    return RandomImages(shape=(1, 4, 4), n=40, batch_size=8, clusters=4, **options)


def test_equal_blobs_are_found():
    rows = blobs(50, 50, 50)
    found = find_clusters(rows, 3)
    groups = found.nearest(rows).view(3, 50)
    assert (groups == groups[:, :1]).all()
    assert sorted(groups[:, 0].tolist()) == [0, 1, 2]
    means = rows.view(3, 50, 2).mean(1)
    torch.testing.assert_close(found.centers[groups[:, 0]], means)


def test_groups_are_equally_large_where_blobs_are_not():
    rows = blobs(300, 100)  # k-means would leave 300 and 100
    sizes = find_clusters(rows, 2).nearest(rows).bincount(minlength=2)
    assert sizes.sum() == 400
    assert (sizes - 200).abs().max() <= 2


def test_the_nearest_group_is_that_of_least_distance_and_price():
    generator = np.random.default_rng(0)
    rows, centers, prices = (generator.normal(size=shape) for shape in ((40, 3), (5, 3), (5,)))
    expected = (((rows[:, None] - centers) ** 2).sum(-1) + prices).argmin(1)
    assert len(set(expected)) > 2
    found = Clusters(torch.from_numpy(centers), torch.from_numpy(prices))
    assert found.nearest(torch.from_numpy(rows)).tolist() == expected.tolist()


def test_batches_have_clusters_in_place_of_classes():
    digits = Digits(batch_size=100, clusters=20)
    assert digits.num_classes == 20
    digits.setup()
    images, groups = digits.images("train")
    sizes = groups.bincount(minlength=20)
    assert len(sizes) == 20
    assert (sizes - 75).abs().max() <= 8
    x, y = next(iter(digits.train_dataloader()))
    pixels = ((x[0] + 1) * 127.5).round().to(torch.uint8)
    place = (images == pixels).flatten(1).all(1).nonzero()[0, 0]
    assert y[0] == groups[place]


def test_classes_of_the_data_are_there_when_they_are_asked_for():
    digits, plain = Digits(clusters=20), Digits()
    assert torch.equal(digits.images("test", labels=True)[1], plain.images("test")[1])
    assert digits.images("test", labels=False)[1] is None
    assert digits.images("train", indices=torch.tensor([3, 5]))[1].tolist() == (
        digits.images("train")[1][[3, 5]].tolist()
    )


def test_images_of_a_group_look_alike():
    digits = Digits(clusters=20)
    _, groups = digits.images("train")
    _, classes = digits.images("train", labels=True)
    table = torch.zeros(20, 10).index_put_(
        (groups, classes), torch.ones(len(groups)), accumulate=True
    )
    assert table.max(1).values.sum() / len(groups) > 0.8  # of one class; 10 % where it is chance


def test_data_without_labels_are_grouped_the_same_on_every_call():
    before = torch.get_rng_state()
    first, second = (
        RandomImages(shape=(1, 4, 4), n=40, clusters=4, labels=False).images("test")[1]
        for _ in range(2)
    )
    assert torch.equal(first, second)
    assert len(first) == 40
    assert torch.equal(torch.get_rng_state(), before)


def test_large_images_are_compared_at_16_pixels_at_most():
    data = RandomImages(shape=(1, 20, 48), n=5, clusters=2)
    (rows,) = data._clustering._looks("train", torch.arange(5))
    assert rows.shape == (5, 10 * 16)
    images = data.images("train")[0].float() / 255
    torch.testing.assert_close(rows[2, 17], images[2, 0, 2:4, 3:6].mean())


def test_samples_that_are_no_images_are_compared_as_they_are():
    assert RandomImages(shape=(6,), n=40, clusters=4).images("train")[1].max() == 3


@pytest.mark.parametrize("number", [1, 0, -3, 2.0, True])
def test_a_number_that_is_none(number):
    with pytest.raises(
        InputError, match=f"^clusters must be a whole number from 2, or null, got {number}$"
    ):
        Digits(clusters=number)


def test_more_clusters_than_images():
    data = RandomImages(n=5, clusters=6)
    with pytest.raises(
        InputError,
        match=r"^5 training images are too few for clusters=6: set clusters to 5 or less$",
    ):
        data.images("train")


# What is said of them ---------------------------------------------------------------------------


def test_the_head_of_a_run_says_clusters(tmp_path):
    run = train(tmp_path, data_of_40(), 1)
    lines = head(run, run.lightning_module, tmp_path)
    assert any("1x4x4 in [-1, 1], 4 clusters, batches of 8" in line for line in lines)


@pytest.mark.parametrize(
    ("native", "known"), [(2, {"classes": 2.0, "num_classes": 2.0}), (None, {})]
)
def test_an_evaluation_counts_the_classes_of_the_data(native, known):
    trainer = SimpleNamespace(
        callback_metrics={"val/class_entropy": torch.tensor(math.log(2.0))},
        datamodule=RandomImages(shape=(1, 4, 4), num_classes=native, clusters=4),
    )
    gan = toys.gan(
        generator=toys.generator(num_classes=4), discriminator=toys.discriminator(num_classes=4)
    )
    assert _class_count(trainer, gan) == pytest.approx(known)


# A checkpoint ------------------------------------------------------------------------------------


def test_a_run_goes_on_with_its_own_clusters(tmp_path, monkeypatch):
    path = tmp_path / "a.ckpt"
    first = data_of_40()
    train(tmp_path, first, 2).save_checkpoint(path)

    def other(features, k):
        raise AssertionError("found anew")

    monkeypatch.setattr(clusters, "find_clusters", other)
    second = data_of_40()
    assert train(tmp_path, second, 4, ckpt_path=path, weights_only=True).global_step == 4
    assert torch.equal(first.images("train")[1], second.images("train")[1])


def test_a_run_cannot_go_on_with_another_number():
    first = data_of_40()
    first.images("train")
    with pytest.raises(InputError, match=r"^the checkpoint has 4 clusters, got clusters=5$"):
        RandomImages(shape=(1, 4, 4), n=40, clusters=5).load_state_dict(first.state_dict())


def test_a_run_without_clusters_is_no_obstacle():
    first = data_of_40()
    first.images("train")
    RandomImages(shape=(1, 4, 4), n=40).load_state_dict(first.state_dict())
    data_of_40().load_state_dict({})
