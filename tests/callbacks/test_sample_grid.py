from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
import toys
from PIL import Image

from lightning_gan.callbacks import SampleGrid
from lightning_gan.callbacks.pictures.grid import grid
from lightning_gan.errors import InputError


def names(folder):
    return sorted(path.name for path in (folder / "samples").iterdir())


def read(path):
    return np.asarray(Image.open(path))


def test_grids_before_every_n_steps_and_at_the_end(fake_gan, fit, tmp_path):
    fit(fake_gan(), SampleGrid(every_n_steps=2))
    assert names(tmp_path) == [f"grid-{step:08d}.png" for step in (0, 2, 4, 5)]


def test_no_second_grid_at_the_end_of_a_whole_number_of_intervals(fake_gan, fit, tmp_path):
    gan = fake_gan()
    fit(gan, SampleGrid(every_n_steps=5))
    assert names(tmp_path) == ["grid-00000000.png", "grid-00000005.png"]
    assert len(gan.sampled_with) == 2


def test_none_draws_first_and_last_only(fake_gan, fit, tmp_path):
    fit(fake_gan(), SampleGrid(every_n_steps=None))
    assert names(tmp_path) == ["grid-00000000.png", "grid-00000005.png"]


def test_a_resumed_run_goes_on_counting(fake_gan, fit, tmp_path):
    first = fit(fake_gan(), max_steps=3, logger=False)
    first.save_checkpoint(tmp_path / "a.ckpt")
    fit(fake_gan(), SampleGrid(every_n_steps=4), ckpt_path=tmp_path / "a.ckpt", max_steps=9)
    assert names(tmp_path) == [f"grid-{step:08d}.png" for step in (3, 4, 8, 9)]


def test_the_noise_is_the_same_in_every_grid_and_depends_on_the_seed(fake_gan, fit, tmp_path):
    folders = [tmp_path / "seed-0", tmp_path / "seed-1"]
    for seed, folder in enumerate(folders):
        fit(fake_gan(), SampleGrid(every_n_steps=2, seed=seed), default_root_dir=folder)
    first, second = (
        [read(folder / "samples" / name) for name in names(folder)] for folder in folders
    )
    assert len(first) == 4
    assert all(np.array_equal(picture, first[0]) for picture in first)
    assert not np.array_equal(first[0], second[0])


def test_columns_are_the_classes_from_the_left(fake_gan, fit, tmp_path):
    gan = fake_gan(sample_shape=(1, 28, 28), num_classes=10)
    fit(gan, SampleGrid(rows=3))
    picture = read(tmp_path / "samples" / "grid-00000000.png")
    cell = 2 * 28 + 2  # 280 pixels are enlarged twofold; padding of 2
    assert picture.shape == (3 * cell + 2, 10 * cell + 2, 3)
    centers = picture[cell // 2 :: cell, cell // 2 :: cell, 0]
    gray = np.round(np.linspace(0, 255, 10))
    assert np.array_equal(centers, np.stack([gray] * 3))


def test_only_the_first_twenty_of_many_classes(fake_gan, fit, tmp_path):
    gan = fake_gan(num_classes=100)
    fit(gan, SampleGrid(rows=2))
    n, labels, seed = gan.sampled_with[0]
    assert (n, seed) == (40, 0)
    assert labels.tolist() == [*range(20), *range(20)]


def test_unconditional_grid_has_rows_and_columns(fake_gan, fit, tmp_path):
    gan = fake_gan(sample_shape=(3, 64, 64))
    fit(gan, SampleGrid(rows=2, columns=5))
    assert gan.sampled_with[0] == (10, None, 0)
    picture = read(tmp_path / "samples" / "grid-00000000.png")
    assert picture.shape == (2 * 66 + 2, 5 * 66 + 2, 3)  # 320 pixels are wide enough


@pytest.mark.parametrize("width", [1, 8, 28, 31, 32, 37, 38, 256])
def test_a_picture_is_at_least_300_pixels_wide(width):
    picture = grid(torch.zeros(8, 1, width, width), columns=8)
    assert picture.shape[2] >= 300
    assert (picture.shape[2] - 2) % 8 == 0


def test_enlarging_repeats_pixels_and_maps_the_range():
    sample = torch.tensor([[-1.0, 1.0], [0.0, 3.0]]).view(1, 1, 2, 2)
    picture = grid(sample, columns=1)[0]  # one image has no padding around it
    assert picture.shape == (300, 300)
    quarters = picture.view(2, 150, 2, 150)
    expected = torch.tensor([[0.0, 1.0], [0.5, 1.0]]).view(2, 1, 2, 1)
    assert torch.equal(quarters, expected.expand_as(quarters))


@pytest.mark.parametrize(("channels", "shown"), [(1, [0, 0, 0]), (2, [0, 0, 0]), (5, [0, 1, 2])])
def test_channels_beyond_a_picture_are_left_out(channels, shown):
    sample = torch.linspace(-1, 1, 5)[:channels].view(1, channels, 1, 1).expand(1, -1, 300, 300)
    assert grid(sample, columns=1)[:, 9, 9].tolist() == [0.25 * index for index in shown]


def test_samples_that_are_not_images_draw_nothing_and_say_so_once(fake_gan, fit, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        fit(fake_gan(sample_shape=(2,)), SampleGrid(every_n_steps=1))
    assert not (tmp_path / "samples").exists()
    lines = [r.getMessage() for r in caplog.records if "SampleGrid" in r.getMessage()]
    assert lines == ["SampleGrid draws nothing: samples of shape (2,) are not images"]


def test_a_module_without_a_generator_attribute_is_fine(fake_gan, fit, tmp_path):
    class Other(fake_gan):
        def sample(self, n, labels=None, seed=None):
            return torch.zeros(n, 1, 8, 8)

        def on_train_start(self):
            del self.generator

    fit(Other(), SampleGrid(every_n_steps=2))
    assert names(tmp_path)[-1] == "grid-00000005.png"


def test_a_module_that_cannot_sample_is_refused_at_the_start(fake_gan, fit):
    class Silent(fake_gan):
        sample = None

    message = r"SampleGrid expects a module with sample\(n, labels=None, seed=None\), got Silent;"
    with pytest.raises(InputError, match=message):
        fit(Silent(), SampleGrid())


@pytest.mark.parametrize("name", ["every_n_steps", "rows", "columns"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"SampleGrid: {name} must be at least 1, got 0"):
        SampleGrid(**{name: 0})


def test_the_callback_leaves_the_random_state_alone(fake_gan, make_trainer):
    before = torch.get_rng_state()
    grid_callback, gan, trainer = SampleGrid(), fake_gan(), make_trainer()
    grid_callback.on_train_start(trainer, gan)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["every_n_rounds", "every_n_epochs"])
def test_other_periods_are_checked_too(name):
    with pytest.raises(InputError, match=f"SampleGrid: {name} must be at least 1, got 0"):
        SampleGrid(**{name: 0})


def test_a_grid_every_epoch(fake_gan, fit, tmp_path):
    fit(fake_gan(), SampleGrid(every_n_epochs=2), batches=2, max_steps=9)
    assert names(tmp_path) == [f"grid-{step:08d}.png" for step in (0, 4, 8, 9)]


def test_a_run_of_the_real_module_is_the_same_with_and_without_pictures(tmp_path):
    def train(*callbacks):
        torch.manual_seed(0)
        module = toys.gan(generator=toys.generator(norm="batch"))
        module.train()
        toys.fit(tmp_path, module, steps=3, callbacks=list(callbacks))
        assert module.generator.training
        return toys.weights(module.generator)

    assert toys.same(train(), train(SampleGrid(every_n_steps=1)))
