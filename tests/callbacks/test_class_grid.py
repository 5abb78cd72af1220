from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
import toys
from PIL import Image

from lightning_gan.callbacks import ClassGrid
from lightning_gan.data import RandomImages
from lightning_gan.errors import InputError

CELL = 102  # 4 pixels, enlarged 25-fold (three columns), padding of 2
LINE = slice(2 * CELL + 1, 2 * CELL + 9)  # after two generated rows


def gan(classes=3):
    return toys.gan(
        generator=toys.generator(num_classes=classes),
        discriminator=toys.discriminator(num_classes=classes),
    )


def data():
    """Gray images: class k has the level k / 4, in the order 2, 1, 0, 2, 1, 0, ..."""
    y = torch.arange(16).flip(0) % 3
    x = (y / 2 - 1).view(-1, 1, 1, 1).expand(-1, *toys.SHAPE).clone()
    return toys.loader(x, y, batch_size=4)


def read(path):
    return np.asarray(Image.open(path)).astype(int)


def names(folder):
    return sorted(path.name for path in (folder / "samples").iterdir())


def test_generated_above_a_white_line_and_real_ones_below(tmp_path):
    grid = ClassGrid(rows=2, real_rows=1, every_n_steps=2)
    toys.fit(tmp_path, gan(), steps=3, data=data(), callbacks=[grid])
    assert names(tmp_path) == [f"class-grid-{step:08d}.png" for step in (0, 2, 3)]
    first, last = (read(tmp_path / "samples" / name) for name in (names(tmp_path)[0::2]))
    assert first.shape == (2 * CELL + 2, 3 * CELL + 2, 3)  # no batch was seen yet
    assert last.shape == (3 * CELL + 2 + 8, 3 * CELL + 2, 3)
    assert (last[LINE] == 255).all()
    assert not (last[LINE.start - 1] == 255).all()
    assert not (last[LINE.stop] == 255).all()
    centers = last[LINE.stop + CELL // 2, CELL // 2 :: CELL, 0]
    assert centers.tolist() == [0, 64, 128]  # classes from the left


def test_a_row_has_one_latent_and_a_column_one_class(tmp_path, monkeypatch):
    module, given = gan(), []
    sample = module.sample

    def recording(n, labels=None, seed=None, z=None):
        given.append((n, labels, z))
        return sample(n, labels=labels, seed=seed, z=z)

    monkeypatch.setattr(module, "sample", recording)
    toys.fit(tmp_path, module, steps=1, data=data(), callbacks=[ClassGrid(rows=2, seed=5)])
    (n, labels, z), (_, _, again) = given
    assert n == 6
    assert labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert torch.equal(z[0], z[2])
    assert torch.equal(z[3], z[5])
    assert not torch.equal(z[0], z[3])
    assert torch.equal(z, again)
    expected = torch.randn(256, 3, generator=torch.Generator().manual_seed(5))
    assert torch.equal(z[::3], expected[:2])


def test_our_data_modules_show_real_images_from_the_start(tmp_path):
    images = RandomImages(shape=toys.SHAPE, n=64, num_classes=3, batch_size=8)
    run = toys.trainer(tmp_path, max_steps=1, callbacks=[ClassGrid(rows=2, real_rows=2)])
    run.fit(gan(), datamodule=images)
    picture = read(tmp_path / "samples" / "class-grid-00000000.png")
    assert picture.shape[0] == 4 * CELL + 2 + 8
    x, y = images.images("train")
    first = x[(y == 1).nonzero()[0, 0], 0].numpy()
    row, column = LINE.stop + 1, CELL + 2
    cell = picture[row : row + 100, column : column + 100, 0]
    assert np.array_equal(cell[12::25, 12::25], first)


def test_a_class_without_real_images_stays_white(tmp_path):
    x, y = toys.images(8), torch.tensor([0, 1] * 4)
    grid = ClassGrid(rows=2, real_rows=1)
    toys.fit(tmp_path, gan(), steps=1, data=toys.loader(x, y), callbacks=[grid])
    picture = read(tmp_path / "samples" / "class-grid-00000001.png")
    assert (picture[LINE.stop + 2 : -2, 2 * CELL + 2 : -2] == 255).all()
    assert not (picture[LINE.stop + 2 : -2, CELL + 2 : 2 * CELL] == 255).all()


def test_unlabeled_data_leave_the_real_rows_out(tmp_path):
    module = toys.gan(generator=toys.generator(num_classes=3), fake_labels="uniform")
    toys.fit(tmp_path, module, steps=1, callbacks=[ClassGrid(rows=2)])
    assert read(tmp_path / "samples" / "class-grid-00000001.png").shape[0] == 2 * CELL + 2


def test_only_the_first_images_of_one_epoch_are_kept(tmp_path):
    grid = ClassGrid(rows=2)
    toys.fit(tmp_path, gan(), steps=9, data=data(), callbacks=[grid])
    assert len(torch.cat(grid._real._x)) == 16
    grid._real.limit = 6
    toys.fit(tmp_path, gan(), steps=9, data=data(), callbacks=[grid])
    assert len(torch.cat(grid._real._x)) == len(torch.cat(grid._real._y)) == 6


def test_training_is_the_same_with_and_without(tmp_path):
    def train(*callbacks):
        torch.manual_seed(0)
        module, images = gan(), RandomImages(shape=toys.SHAPE, n=32, num_classes=3, batch_size=8)
        toys.trainer(tmp_path, max_steps=6, callbacks=list(callbacks)).fit(module, images)
        return toys.weights(module.generator)

    assert toys.same(train(), train(ClassGrid(every_n_steps=1)))


def test_an_unconditional_generator_is_refused(tmp_path):
    message = (
        "^ClassGrid expects a class-conditional generator, got num_classes=None; use SampleGrid "
        "for an unconditional one, or one with other conditions$"
    )
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, toys.gan(), callbacks=[ClassGrid()])


def test_a_module_that_takes_no_latents_is_refused(fake_gan, fit):
    message = (
        r"^ClassGrid expects a module with sample\(n, labels=None, seed=None, z=None\), a prior "
        r"and generator.latent_dim, got FakeGAN; use GANModule or leave this callback out$"
    )
    with pytest.raises(InputError, match=message):
        fit(fake_gan(num_classes=3), ClassGrid())


@pytest.mark.parametrize("name", ["rows", "real_rows", "every_n_steps"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"ClassGrid: {name} must be at least 1, got 0"):
        ClassGrid(**{name: 0})


def test_samples_that_are_no_images_draw_nothing_and_say_so(tmp_path, caplog):
    shape = {"sample_shape": (4,), "num_classes": 3}
    module = toys.gan(generator=toys.generator(**shape), discriminator=toys.discriminator(**shape))
    x, y = toys.images(8, (4,)), torch.arange(8) % 3
    with caplog.at_level(logging.INFO):
        toys.fit(
            tmp_path,
            module,
            steps=2,
            data=toys.loader(x, y),
            callbacks=[ClassGrid(every_n_steps=1)],
        )
    assert not (tmp_path / "samples").exists()
    lines = [r.getMessage() for r in caplog.records if "ClassGrid" in r.getMessage()]
    assert lines == ["ClassGrid draws nothing: samples of shape (4,) are not images"]


def test_fast_dev_run_leaves_no_files(tmp_path):
    run = toys.trainer(tmp_path, fast_dev_run=True, callbacks=[ClassGrid()])
    run.fit(gan(), data())
    assert list(tmp_path.iterdir()) == []
