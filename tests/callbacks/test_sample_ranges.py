"""Samples in another range than [-1, 1]: trained, drawn, exported and predicted in their units."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import toys
from PIL import Image
from pytorch_lightning import LightningDataModule
from torch import nn

from lightning_gan import Generator, GeneratorOutput
from lightning_gan.callbacks import NeighborGrid, PredictionWriter, SampleGrid
from lightning_gan.callbacks.pictures.shown_range import mapped, shown_bounds
from lightning_gan.data import MixtureRing, RandomImages
from lightning_gan.export import export_generator, load_generator, read_description


class Dose(Generator):
    """Non-negative samples up to a largest value."""

    latent_dim, sample_shape = 3, toys.SHAPE

    def __init__(self, sample_range=(0.0, 50.0), largest=50.0):
        super().__init__()
        self.sample_range, self.largest = sample_range, largest
        self.net = nn.Linear(3, 16)

    def forward(self, z, y=None):
        samples = self.net(4 * z).sigmoid().view(-1, *toys.SHAPE) * self.largest
        return GeneratorOutput(samples, {"mean": samples.mean()})


class Doses(LightningDataModule):
    """Samples in [0, largest]."""

    def __init__(self, largest=50.0, sample_range=(0.0, 50.0)):
        super().__init__()
        self.sample_range = sample_range
        self.x = toys.images(16).add(1).div(2).mul(largest)

    def train_dataloader(self):
        return toys.loader(self.x)

    def val_dataloader(self):
        return toys.loader(self.x.flip(0))

    def predict_dataloader(self):
        return toys.loader(self.x)


def gray(path):
    return np.asarray(Image.open(path))[..., 0]


def cells(path, rows, columns, line=0):
    """Undo a grid without its line: gray pixels, shape (rows, columns, 4, 4)."""
    factor = -(-300 // (columns * 4))
    size = 4 * factor + 2
    picture = gray(path)
    if line:
        picture = np.delete(picture, np.s_[size * line + 1 : size * line + 9], axis=1)
    picture = picture[2:, 2:].reshape(rows, size, columns, size).swapaxes(1, 2)
    middle = slice(factor // 2, 4 * factor, factor)
    return picture[:, :, middle, middle]


def pixels(x, low, high):
    return ((x - low) / (high - low) * 255).round().clamp(0, 255).to(torch.uint8)[:, 0].numpy()


def test_non_negative_data_come_back_in_their_units(tmp_path):
    module, data = toys.gan(generator=Dose()), Doses()
    pictures = [
        SampleGrid(every_n_steps=None, rows=1, columns=3),
        NeighborGrid(rows=2, neighbors=1, every_n_steps=None),
    ]
    toys.trainer(tmp_path, max_steps=2, callbacks=pictures).fit(module, data)
    samples = module.sample(3, seed=0)
    assert samples.max() > 1.5
    drawn = cells(tmp_path / "samples" / "grid-00000002.png", 1, 3)[0]
    assert np.abs(drawn.astype(int) - pixels(samples, 0, 50)).max() <= 1
    beside = cells(tmp_path / "samples" / "neighbors-00000002.png", 2, 2, line=1)[:, 1]
    real = pixels(data.x, 0, 50)
    assert all(np.abs(real.astype(int) - cell).max((1, 2)).min() <= 1 for cell in beside)

    folder = export_generator(module, tmp_path / "made")
    assert read_description(folder)["range"] == [0.0, 50.0]
    z = torch.randn(2, 3)
    with torch.no_grad():
        again = load_generator(folder)(z)
        assert torch.equal(again.samples, module.generator(z).samples)
    assert set(again.extra) == {"mean"}

    toys.trainer(tmp_path, callbacks=[PredictionWriter()]).predict(module, data)
    written = sorted((tmp_path / "predictions").glob("*"))
    assert [path.name for path in written[-2:]] == ["batch-000000.npy", "batch-000001.npy"]
    array = torch.from_numpy(np.load(written[-2]))
    assert array.max() > 1.5
    first = np.asarray(Image.open(tmp_path / "predictions" / "000000.png"))
    assert np.abs(first.astype(int) - pixels(array[:1], 0, 50)[0]).max() <= 1
    assert len(written) == 16 + 2


@pytest.mark.parametrize(("declared", "arrays"), [(None, 0), ("symmetric", 0), ((-1, 1), 0),
                                                  ("unit", 1), ("free", 1)])  # fmt: skip
def test_arrays_are_written_where_pictures_have_other_values(declared, arrays, tmp_path):
    module = toys.gan(generator=Dose(declared, 1.0))
    run = toys.trainer(tmp_path, callbacks=[PredictionWriter()])
    run.predict(module, toys.loader(toys.images(4)))
    assert len(list((tmp_path / "predictions").glob("*.npy"))) == arrays
    assert len(list((tmp_path / "predictions").glob("*.png"))) == 4


@pytest.mark.parametrize(
    ("declared", "expected"),
    [(None, (-1, 1)), ("symmetric", (-1, 1)), ("unit", (0, 1)), ((0.0, 50.0), (0, 50))],
)
def test_a_declared_range_goes_from_black_to_white(declared, expected):
    module = toys.gan(generator=Dose(declared))
    bounds = shown_bounds(module, torch.zeros(1))
    assert bounds == expected
    ends = mapped(torch.tensor([*expected, sum(expected) / 2]), bounds)
    assert ends.tolist() == [-1, 1, 0]


def test_a_free_range_is_that_of_real_samples_or_of_most_of_the_samples():
    module = toys.gan(generator=Dose("free"))
    samples = torch.linspace(0, 100, 101).view(1, 1, 1, 101)
    assert shown_bounds(module, samples) == pytest.approx((1, 99))
    samples[..., 100] = torch.nan
    assert shown_bounds(module, samples) == pytest.approx((0.99, 98.01))
    assert shown_bounds(module, torch.full((2, 1, 2, 2), 3.0)) == (3, 4)
    assert shown_bounds(module, torch.full((2, 1, 2, 2), torch.nan)) == (-1, 1)
    module.conditions.hold(torch.tensor([-7.0, 30.0]).view(2, 1, 1, 1), None)
    assert shown_bounds(module, samples) == (-7, 30)


def test_neighbors_of_a_free_range_share_the_window_of_the_real_images(tmp_path):
    module = toys.gan(generator=Dose("free", 300.0))
    callback = NeighborGrid(rows=2, neighbors=1, every_n_steps=None)
    data = Doses(300.0)
    toys.fit(tmp_path, module, steps=2, data=data.train_dataloader(), callbacks=[callback])
    low, high = data.x[:8].min(), data.x[:8].max()  # of the first batch
    drawn = cells(tmp_path / "samples" / "neighbors-00000002.png", 2, 2, line=1)
    expected = pixels(module.sample(2, seed=0), low, high)
    assert np.abs(drawn[:, 0].astype(int) - expected).max() <= 1


def test_our_data_say_where_their_samples_lie():
    assert RandomImages().sample_range == "symmetric"
    assert MixtureRing().sample_range is None


@pytest.mark.parametrize(
    ("declared", "shape", "expected"),
    [
        (None, (1, 4, 4), [-1.0, 1.0]),
        (None, (5,), None),
        ("free", (1, 4, 4), None),
        ("unit", (5,), [0.0, 1.0]),
    ],
)
def test_the_range_of_an_export(declared, shape, expected, tmp_path):
    generator = toys.generator(sample_shape=shape)
    generator.sample_range = declared
    module = toys.gan(generator=generator, discriminator=toys.discriminator(sample_shape=shape))
    assert read_description(export_generator(module, tmp_path / "g"))["range"] == expected
