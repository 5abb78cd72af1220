from __future__ import annotations

import shutil

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import toys
from PIL import Image, ImageSequence

from lightning_gan.callbacks import TrainingGIF
from lightning_gan.callbacks.pictures.training_gif import few_colors, thinned, titled, write_gif
from lightning_gan.data import RandomImages
from lightning_gan.errors import InputError

EACH_STEP = {"every_n_steps": 1, "dense_every": None, "dense_until": None}
OFTEN = {"every_n_steps": 4, "dense_every": 1, "dense_until": 3}


def gan(classes=None, **options):
    generator = toys.generator(num_classes=classes, latent_dim=2, **options)
    discriminator = toys.discriminator(num_classes=classes, **options)
    return toys.gan(generator=generator, discriminator=discriminator)


def labeled():
    return toys.loader(y=torch.arange(32) % 2)


def frames(folder):
    return sorted(path.name for path in folder.iterdir())


def numbered(*steps):
    return [f"{step:08d}.png" for step in steps]


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def play(path):
    """The frames of a GIF: their pixels, and for how many milliseconds each is shown."""
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0
        frames = [
            (np.asarray(frame.convert("RGB")).astype(int), frame.info["duration"])
            for frame in ImageSequence.Iterator(gif)
        ]
    return [pixels for pixels, _ in frames], [duration for _, duration in frames]


def length(path):
    return len(play(path)[0])


class BreakAt(pl.Callback):
    def __init__(self, step, error):
        self.step, self.error = step, error

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            raise self.error


def test_frames_are_dense_at_first_and_the_gif_shows_them_all(tmp_path):
    toys.fit(tmp_path, gan(), steps=9, callbacks=[TrainingGIF(rows=2, columns=3, **OFTEN)])
    folder = tmp_path / "frames" / "training"
    assert frames(folder) == numbered(0, 1, 2, 3, 4, 8, 9)
    shown, durations = play(tmp_path / "samples" / "training.gif")
    assert durations == [100] * 6 + [3000]
    for pixels, name in zip(shown, frames(folder), strict=True):
        assert pixels.shape == (2 * 102 + 2 + 28, 3 * 102 + 2, 3)
        assert np.abs(pixels - read(folder / name)).max() <= 9  # half a step of sixteen grays


def test_one_gif_for_each_class_of_a_manifold(tmp_path):
    callback = TrainingGIF("manifold", name="plane", size=3, **EACH_STEP)
    toys.fit(tmp_path, gan(classes=2), steps=2, data=labeled(), callbacks=[callback])
    assert frames(tmp_path / "samples") == ["plane-class0.gif", "plane-class1.gif"]
    assert frames(tmp_path / "frames" / "plane") == [
        f"class{k}-{step:08d}.png" for k in (0, 1) for step in (0, 1, 2)
    ]
    zero, one = (play(tmp_path / "samples" / f"plane-class{k}.gif")[0] for k in (0, 1))
    assert len(zero) == len(one) == 3
    assert not np.array_equal(zero[2], one[2])


@pytest.mark.parametrize(
    ("options", "titles"),
    [
        ({"every_n_steps": 2000}, ["class 0, step 0", "class 0, step 3"]),
        ({"every_n_rounds": 2000}, ["class 0, round 0", "class 0, round 3"]),
        ({"every_n_epochs": 2000}, ["class 0, epoch 0", "class 0, epoch 1"]),
    ],
)
def test_titles_name_class_and_count(options, titles, tmp_path, monkeypatch):
    written = []

    def recording(picture, title):
        written.append(title)
        return titled(picture, title)

    monkeypatch.setattr("lightning_gan.callbacks.pictures.training_gif.titled", recording)
    callback = TrainingGIF("manifold", size=2, dense_every=None, dense_until=None, **options)
    run = {"steps": 3, "data": labeled(), "limit_train_batches": 2}
    toys.fit(tmp_path, gan(classes=2), callbacks=[callback], **run)
    assert written[::2] == titles


def test_rounds_are_what_the_alternation_makes_of_steps(tmp_path):
    from lightning_gan.alternations.alternating import Alternating

    module = gan()
    module.alternation = Alternating(d_steps=2)
    callback = TrainingGIF(every_n_rounds=2, dense_every=1, dense_until=2)
    toys.fit(tmp_path, module, steps=9, callbacks=[callback])
    assert frames(tmp_path / "frames" / "training") == numbered(0, 2, 4, 8, 9)


def test_a_run_that_breaks_off_has_its_gif(tmp_path):
    callbacks = [TrainingGIF(**EACH_STEP), BreakAt(3, RuntimeError("out of luck"))]
    with pytest.raises(RuntimeError, match="out of luck"):
        toys.fit(tmp_path, gan(), steps=9, callbacks=callbacks)
    assert length(tmp_path / "samples" / "training.gif") == 4


def test_an_error_before_training_makes_no_gif(tmp_path):
    class Refuses(pl.Callback):
        def setup(self, trainer, pl_module, stage):
            raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        toys.fit(tmp_path, gan(), callbacks=[TrainingGIF(), Refuses()])
    assert not (tmp_path / "samples").exists()


class SaveAt(pl.Callback):
    def __init__(self, step, path):
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path, weights_only=False)


def train(folder, *callbacks, steps, checkpoint=None):
    run = toys.trainer(folder, max_steps=steps, callbacks=list(callbacks))
    images = RandomImages(shape=toys.SHAPE, n=32, batch_size=8)
    run.fit(gan(), images, ckpt_path=checkpoint, weights_only=True)


@pytest.fixture
def interrupted(tmp_path):
    """The checkpoint after three steps of a run of five in the folder "a"."""
    path = tmp_path / "a.ckpt"
    train(tmp_path / "a", TrainingGIF(**EACH_STEP), SaveAt(3, path), steps=5)
    return path


def test_a_resumed_run_that_fails_before_training_writes_nothing(
    tmp_path, interrupted, monkeypatch
):
    class Refuses(pl.Callback):
        def on_fit_start(self, trainer, pl_module):
            raise RuntimeError("out of luck")

    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with pytest.raises(RuntimeError, match="out of luck"):
        train(tmp_path / "b", TrainingGIF(**EACH_STEP), Refuses(), steps=7, checkpoint=interrupted)
    assert not list(here.iterdir())


def resume(folder, checkpoint, steps=7, **options):
    callback = TrainingGIF(**{**EACH_STEP, **options})
    train(folder, callback, steps=steps, checkpoint=checkpoint)
    return length(folder / "samples" / "training.gif")


def test_a_resumed_run_goes_on_with_the_frames_of_another_folder(tmp_path, interrupted):
    shown = resume(tmp_path / "b", interrupted)
    assert shown == 8
    assert frames(tmp_path / "b" / "frames" / "training") == numbered(*range(8))
    old = tmp_path / "a" / "frames" / "training"
    assert frames(old) == numbered(*range(6))
    for name in numbered(0, 1, 2):
        ours = tmp_path / "b" / "frames" / "training" / name
        assert ours.read_bytes() == (old / name).read_bytes()


def test_a_resumed_run_goes_on_in_its_own_folder(tmp_path, interrupted):
    assert resume(tmp_path / "a", interrupted, steps=4) == 5  # step 5 is to come again
    assert frames(tmp_path / "a" / "frames" / "training") == numbered(*range(6))


def test_frames_that_are_gone_are_said_to_be(tmp_path, interrupted, caplog):
    shutil.rmtree(tmp_path / "a" / "frames")
    with caplog.at_level("INFO"):
        shown = resume(tmp_path / "b", interrupted)
    assert shown == 5
    where = (tmp_path / "a" / "frames" / "training").resolve()
    assert f"TrainingGIF begins anew: the earlier frames are not in {where}" in caplog.messages


def test_frames_of_another_size_are_left_out(tmp_path, interrupted):
    assert resume(tmp_path / "b", interrupted, rows=2) == 5


def test_a_new_run_in_the_same_folder_forgets_the_old_frames(tmp_path):
    callback = TrainingGIF(**EACH_STEP)
    toys.fit(tmp_path, gan(), steps=5, callbacks=[callback])
    toys.fit(tmp_path, gan(), steps=2, callbacks=[callback])
    assert length(tmp_path / "samples" / "training.gif") == 3


def test_two_gifs_in_one_run(tmp_path):
    def both():
        return TrainingGIF(**EACH_STEP), TrainingGIF("manifold", "plane", size=2, **EACH_STEP)

    path = tmp_path / "c.ckpt"
    train(tmp_path / "c", *both(), SaveAt(4, path), steps=5)
    train(tmp_path / "d", *both(), steps=6, checkpoint=path)
    for name in ("training", "plane"):
        assert length(tmp_path / "d" / "samples" / f"{name}.gif") == 7


def test_the_callback_keeps_no_pictures(tmp_path):
    callback = TrainingGIF(**EACH_STEP)
    toys.fit(tmp_path, gan(), steps=2, callbacks=[callback])
    folder = str((tmp_path / "frames" / "training").resolve())
    assert callback.state_dict() == {"folder": folder, "taken": [0, 1, 2]}
    assert not any(isinstance(value, torch.Tensor) for value in vars(callback).values())


def test_long_trainings_are_thinned_evenly(tmp_path):
    toys.fit(tmp_path, gan(), steps=8, callbacks=[TrainingGIF(max_frames=3, **EACH_STEP)])
    assert length(tmp_path / "samples" / "training.gif") == 3
    assert len(frames(tmp_path / "frames" / "training")) == 9
    assert thinned([1, 2, 3], 1) == [3]
    assert thinned([1, 2, 3], 3) == [1, 2, 3]


def test_color_stays_color_and_gray_gray(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    color, gray = Image.fromarray(noise), Image.fromarray(noise[..., :1].repeat(3, axis=2))
    few = few_colors(color)
    assert (few.mode, len(few.getcolors())) == ("P", 64)
    few = few_colors(gray)
    assert sorted(level for _, level in few.getcolors()) == [*range(0, 256, 17)]
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    color.save(paths[0])
    Image.new("RGB", (64, 64), "red").save(paths[1])
    write_gif(paths, tmp_path / "new" / "color.gif")
    first, second = play(tmp_path / "new" / "color.gif")[0]
    assert np.abs(first - noise).mean() < 30
    assert second[9, 9].tolist() == [255, 0, 0]


def test_a_title_is_black_on_white_above_the_picture():
    frame = np.asarray(titled(Image.new("RGB", (300, 200), "gray"), "class 3, round 1,240"))
    assert frame.shape == (228, 300, 3)
    assert (frame[28:] == 128).all()
    assert (frame[:28].min(), frame[:28].max()) == (0, 255)
    assert (frame[:28, :40] == 255).all()  # centered
    assert (frame[:28, -40:] == 255).all()


def test_training_is_the_same_with_and_without(tmp_path):
    def weights(*callbacks):
        torch.manual_seed(0)
        module = gan()
        toys.fit(tmp_path, module, steps=3, callbacks=list(callbacks))
        return toys.weights(module.generator)

    assert toys.same(weights(), weights(TrainingGIF(**EACH_STEP)))


def test_samples_that_are_no_images_leave_nothing(tmp_path, caplog):
    data = toys.loader(toys.images(8, (4,)))
    with caplog.at_level("INFO"):
        toys.fit(tmp_path, gan(sample_shape=(4,)), steps=2, data=data, callbacks=[TrainingGIF()])
    assert list(tmp_path.iterdir()) == []
    lines = [line for line in caplog.messages if "TrainingGIF" in line]
    assert lines == ["TrainingGIF draws nothing: samples of shape (4,) are not images"]


def test_fast_dev_run_leaves_no_files(tmp_path):
    run = toys.trainer(tmp_path, fast_dev_run=True, callbacks=[TrainingGIF()])
    run.fit(gan(), toys.loader())
    assert list(tmp_path.iterdir()) == []


def test_only_rank_zero_writes(tmp_path, monkeypatch):
    run = toys.trainer(tmp_path)
    monkeypatch.setattr(type(run), "is_global_zero", False)
    monkeypatch.setattr(type(run), "num_training_batches", 4)
    callback = TrainingGIF()
    callback.on_train_start(run, gan())
    callback.on_train_end(run, gan())
    assert list(tmp_path.iterdir()) == []


def test_a_manifold_of_three_latents_is_refused(tmp_path):
    message = "^TrainingGIF expects a generator with two latents, got 3; set generator.lat"
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, toys.gan(), callbacks=[TrainingGIF("manifold")])


@pytest.mark.parametrize(
    "name", ["rows", "columns", "size", "max_frames", "every_n_steps", "dense_every"]
)
def test_numbers_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"TrainingGIF: {name} must be at least 1, got 0"):
        TrainingGIF(**{name: 0})


def test_other_frames_are_refused():
    message = "^TrainingGIF: frames must be 'grid' or 'manifold', got 'grids'; use one of them$"
    with pytest.raises(InputError, match=message):
        TrainingGIF("grids")


def test_a_name_that_is_a_path_is_refused():
    message = "^TrainingGIF: name must be a file's name, got 'a/b'; use a word like 'training'$"
    with pytest.raises(InputError, match=message):
        TrainingGIF(name="a/b")
