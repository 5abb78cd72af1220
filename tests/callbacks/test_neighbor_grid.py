from __future__ import annotations

import numpy as np
import pytest
import torch
import toys
from PIL import Image

from lightning_gan.callbacks import NeighborGrid
from lightning_gan.callbacks.pictures import neighbor_grid
from lightning_gan.data import RandomImages
from lightning_gan.errors import InputError
from lightning_gan.metrics.features import FeatureExtractor, Features


def cells(path, columns):
    """Undo the grid: the gray pixels of each cell, shape (rows, columns, 4, 4)."""
    picture = np.asarray(Image.open(path))[..., 0]
    factor = -(-300 // (columns * 4))
    size = 4 * factor + 2
    assert (picture[:, size + 1 : size + 9] == 255).all()
    picture = np.delete(picture, np.s_[size + 1 : size + 9], axis=1)
    picture = picture[2:, 2:].reshape(-1, size, columns, size).swapaxes(1, 2)
    middle = factor // 2
    return picture[:, :, middle : 4 * factor : factor, middle : 4 * factor : factor]


def gray(images):
    return images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)[:, 0]


@pytest.fixture
def data():
    return RandomImages(shape=toys.SHAPE, n=50, num_classes=2, batch_size=8)


def train(folder, data, callback, module=None, steps=1):
    module = toys.gan() if module is None else module
    toys.trainer(folder, max_steps=steps, callbacks=[callback]).fit(module, datamodule=data)
    return module


@pytest.mark.parametrize("at_once", [7, 4096])
def test_each_sample_stands_beside_its_nearest_images(at_once, tmp_path, data, monkeypatch):
    monkeypatch.setattr(neighbor_grid, "AT_ONCE", at_once)
    data.labels = False
    module = train(tmp_path, data, NeighborGrid(rows=3, neighbors=4, seed=2))
    drawn = cells(tmp_path / "samples" / "neighbors-00000001.png", columns=5)
    samples = gray(module.sample(3, seed=2))
    assert np.array_equal(drawn[:, 0], samples.numpy())
    images = data.images("train")[0][:, 0]
    distance = (samples.unsqueeze(1).float() - images.float()).square().sum((2, 3))
    nearest = distance.argsort(dim=1)[:, :4]
    assert np.array_equal(drawn[:, 1:], images[nearest].numpy())


def test_before_and_at_every_period_and_at_the_end(tmp_path, data):
    data.labels = False
    train(tmp_path, data, NeighborGrid(every_n_steps=2), steps=3)
    files = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert files == [f"neighbors-{step:08d}.png" for step in (0, 2, 3)]


def test_an_extractor_decides_what_is_near(tmp_path, data):
    class Corner(FeatureExtractor):
        name, feature_dim = "corner", 1

        def forward(self, images):
            assert not self.training
            return Features(images[:, :, 0, 0])

    data.labels = False
    extractor = Corner().train()
    callback = NeighborGrid(rows=3, neighbors=1, extractor=extractor, every_n_steps=None)
    module = train(tmp_path, data, callback)
    assert extractor.training
    drawn = cells(tmp_path / "samples" / "neighbors-00000001.png", columns=2)
    samples, images = gray(module.sample(3, seed=0)).int(), data.images("train")[0][:, 0].int()
    best = (samples[:, 0, 0].unsqueeze(1) - images[:, 0, 0]).abs().amin(1)
    found = np.abs(drawn[:, 1, 0, 0].astype(int) - drawn[:, 0, 0, 0])
    assert found.tolist() == best.tolist()


def test_rows_of_a_conditional_generator_are_classes(tmp_path, data, monkeypatch):
    module = toys.gan(
        generator=toys.generator(num_classes=2), discriminator=toys.discriminator(num_classes=2)
    )
    train(tmp_path, data, NeighborGrid(rows=3, neighbors=1), module)
    drawn = cells(tmp_path / "samples" / "neighbors-00000001.png", columns=2)
    samples = gray(module.sample(3, labels=[0, 1, 0], seed=0))
    assert np.array_equal(drawn[:, 0], samples.numpy())


def test_other_data_are_searched_as_far_as_training_has_seen_them(tmp_path):
    x = toys.images(12)
    callback = NeighborGrid(rows=2, neighbors=9, max_images=6, every_n_steps=1)
    toys.fit(tmp_path, toys.gan(), steps=4, data=toys.loader(x, batch_size=4), callbacks=[callback])
    files = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert files == [f"neighbors-{step:08d}.png" for step in (1, 2, 3, 4)]
    first = cells(tmp_path / "samples" / files[0], columns=5)  # four images were there
    last = cells(tmp_path / "samples" / files[-1], columns=7)  # no more than six are kept
    for drawn, there in ((first, x[:4]), (last, x[:6])):
        ours = {cell.tobytes() for cell in drawn[0, 1:]}
        assert ours == {image.numpy().tobytes() for image in gray(there)}


def test_only_the_first_images_are_searched(tmp_path, data):
    data.labels = False
    train(tmp_path, data, NeighborGrid(rows=2, neighbors=3, max_images=3))
    drawn = cells(tmp_path / "samples" / "neighbors-00000001.png", columns=4)
    first = {image.numpy().tobytes() for image in data.images("train")[0][:3, 0]}
    assert {cell.tobytes() for cell in drawn[1, 1:]} == first


@pytest.mark.parametrize("name", ["rows", "neighbors", "max_images", "every_n_steps"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"NeighborGrid: {name} must be at least 1, got 0"):
        NeighborGrid(**{name: 0})


def test_training_is_the_same_with_and_without(tmp_path, data):
    data.labels = False

    def weights(*callbacks):
        torch.manual_seed(0)
        module = toys.gan()
        images = RandomImages(shape=toys.SHAPE, n=32, batch_size=8)
        toys.trainer(tmp_path, max_steps=6, callbacks=list(callbacks)).fit(module, images)
        return toys.weights(module.generator)

    assert toys.same(weights(), weights(NeighborGrid(every_n_steps=1)))
