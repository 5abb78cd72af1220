"""The judge: how well it judges, that it trains once, and what it refuses."""

from __future__ import annotations

import logging
import math
import os
from pathlib import Path

import pytest
import torch

from lightning_gan import InputError
from lightning_gan.data import MNIST, Digits
from lightning_gan.files.fingerprint import fingerprint
from lightning_gan.metrics.cache import cache_folder, load_tensors, save_tensors
from lightning_gan.metrics.features import extract
from lightning_gan.metrics.judge import judge_for
from lightning_gan.metrics.judge_network import Judge

INFO = "pytorch_lightning.utilities.rank_zero"


@pytest.fixture(scope="module")
def digits():
    data = Digits()
    return (*data.load("train"), *data.load("test"))


@pytest.fixture(scope="module")
def digits_judge(digits, tmp_path_factory):
    return judge_for(*digits, 10, cache_dir=tmp_path_factory.mktemp("cache"))


def stripes(n=48, shape=(1, 6, 6), num_classes=2):
    """Images whose class is the row that is bright."""
    labels = torch.arange(n) % num_classes
    images = torch.randint(0, 100, (n, *shape), dtype=torch.uint8)
    images[torch.arange(n), :, 2 * labels] = 255
    return images, labels


@pytest.fixture
def small():
    return (*stripes(), *stripes(8))


def train(small, folder, **options):
    return judge_for(*small, 2, cache_dir=folder, **{"steps": 20, **options})


def test_it_tells_digits(digits_judge):
    assert digits_judge.test_accuracy >= 0.98


def test_its_accuracy_is_that_of_its_logits(digits_judge, digits):
    seen = extract(digits_judge, digits[2]).class_logits.argmax(1)
    right = (seen == digits[3]).sum().item()
    assert digits_judge.test_accuracy == pytest.approx(right / len(seen))


def test_features_are_those_before_the_last_layer(digits_judge, digits):
    features, logits = extract(digits_judge, digits[2][:5])
    assert features.shape == (5, digits_judge.feature_dim) == (5, 128)
    assert logits.shape == (5, 10)
    assert (features >= 0).all()
    torch.testing.assert_close(digits_judge.head(features), logits)


def test_a_short_training_tells_mnist(real_data, tmp_path):
    data = MNIST(root=str(real_data), download=False)
    train, test = data.load("train"), data.load("test")
    judge = judge_for(*train, *(part[:1000] for part in test), 10, cache_dir=tmp_path, steps=60)
    assert judge.test_accuracy > 0.9


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (2, 5, 9), (1, 64, 48)])
def test_it_adapts_to_shapes(shape):
    judge = Judge(shape, num_classes=3)
    features, logits = judge(torch.zeros(2, *shape))
    assert features.shape == (2, 128)
    assert logits.shape == (2, 3)


@pytest.mark.parametrize(
    ("side", "grid"), [(1, 1), (8, 8), (23, 23), (24, 12), (28, 14), (32, 16), (64, 16), (100, 13)]
)
def test_large_images_are_taken_to_a_grid_of_12_to_23(side, grid):
    stem = Judge((1, side, side), 2).body[0]
    assert stem(torch.zeros(1, 1, side, side)).shape[2:] == (grid, grid)


def test_it_trains_once_and_says_so(small, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger=INFO):
        first = train(small, tmp_path)
    training, accuracy = caplog.messages
    (path,) = tmp_path.iterdir()
    assert training.startswith("Training a judge on 48 labeled images, once: about ")
    assert training.endswith(f" s; it is kept as {path}.")
    assert accuracy == f"The judge is right on {first.test_accuracy:.2%} of 8 test images."
    caplog.clear()
    with caplog.at_level(logging.INFO, logger=INFO):
        again = train(small, tmp_path)
    assert caplog.messages == []
    assert again.protocol() == first.protocol()
    assert again.test_accuracy == first.test_accuracy
    assert not again.training
    assert not any(parameter.requires_grad for parameter in again.parameters())


def test_seeds_and_data_decide_the_weights(small, tmp_path):
    def sha256(**options):
        return train(small, tmp_path / str(len(list(tmp_path.iterdir()))), **options).protocol()

    first, again, other = sha256(), sha256(), sha256(seed=1)
    assert first == again
    assert first["sha256"] != other["sha256"]
    small[0][0, 0, 0, 0] ^= 1
    assert sha256()["sha256"] != first["sha256"]


def test_the_global_random_state_and_gradient_mode_do_not_matter(small, tmp_path):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with torch.inference_mode():
        inside = train(small, tmp_path / "inside")
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    assert train(small, tmp_path / "outside").protocol() == inside.protocol()
    with torch.inference_mode():
        kept = train(small, tmp_path / "inside")
    assert not any(parameter.is_inference() for parameter in kept.parameters())


def test_the_random_states_of_gpus_are_left_alone(small, tmp_path, monkeypatch):
    def refuse(_):
        raise AssertionError("torch.manual_seed seeds every GPU as well")

    monkeypatch.setattr(torch, "manual_seed", refuse)
    train(small, tmp_path)


def test_the_protocol_says_how_it_was_trained(small, tmp_path):
    protocol = train(small, tmp_path).protocol()
    assert protocol["name"] == "judge"
    assert 0 <= protocol["test_accuracy"] <= 1
    assert protocol["training"] == {
        "version": 2,
        "data": fingerprint(*small, 2),
        "images": 48,
        "seed": 0,
        "steps": 20,
        "batch_size": 48,
        "learning_rate": 0.01,
    }


def damage(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:1000])


def replace(path):
    path.write_text("not a judge")


def swap(path):
    """Another network's weights, with notes of the right kind."""
    _, notes = load_tensors(path)
    save_tensors(path, torch.nn.Linear(2, 2).state_dict(), notes)


def lie(path):
    """The right weights, said to come from another training."""
    tensors, notes = load_tensors(path)
    save_tensors(path, tensors, {**notes, "data": "other"})


@pytest.mark.parametrize("harm", [damage, cut, replace, swap, lie])
def test_a_harmed_cache_is_trained_anew(small, tmp_path, harm):
    first = train(small, tmp_path)
    (path,) = tmp_path.iterdir()
    harm(path)
    with pytest.warns(UserWarning, match="is damaged or another's, and is trained anew") as caught:
        again = train(small, tmp_path)
    assert len(caught) == 1
    assert again.protocol() == first.protocol()
    assert train(small, tmp_path).protocol() == first.protocol()  # without a warning


def test_a_folder_that_cannot_be_written_only_warns(small, tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="could not be kept .*: set LIGHTNING_GAN_CACHE"):
        judge = train(small, tmp_path / "file")
    assert not math.isnan(judge.test_accuracy)


def test_no_unfinished_file_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        save_tensors(tmp_path / "x.safetensors", {"x": torch.zeros(1)}, {})
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch, small):
    monkeypatch.setenv("LIGHTNING_GAN_CACHE", str(tmp_path / "chosen"))
    assert cache_folder() == tmp_path / "chosen"
    train(small, None)
    assert len(list((tmp_path / "chosen").iterdir())) == 1


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {}, "home/.cache/lightning_gan"),
        ("linux", {"XDG_CACHE_HOME": "{}/xdg"}, "xdg/lightning_gan"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "home/.cache/lightning_gan"),
        ("darwin", {}, "home/Library/Caches/lightning_gan"),
        ("win32", {"LOCALAPPDATA": "{}/local"}, "local/lightning_gan"),
        ("win32", {}, "home/AppData/Local/lightning_gan"),
    ],
)
def test_the_cache_is_the_platforms(tmp_path, monkeypatch, platform, variables, folder):
    for name in ("LIGHTNING_GAN_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert cache_folder() == tmp_path / folder


def test_no_home_folder_names_the_variable(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    for name in ("LIGHTNING_GAN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(InputError, match="no home folder for the cache: set LIGHTNING_GAN_CACHE"):
        cache_folder()


def without(name, change):
    """One part of the small data set changed."""

    def data():
        parts = dict(zip("xytu", (*stripes(), *stripes(8)), strict=True))
        parts[name] = change(parts[name])
        return parts.values()

    return data


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (without("x", lambda x: x.float()), "training images in uint8 .* got torch.float32"),
        (without("x", lambda x: x[0]), r"training images .* got torch.uint8 of shape \(1, 6, 6\)"),
        (
            without("y", lambda y: y[1:]),
            r"training labels in int64 of shape \(48,\), got .*\(47,\)",
        ),
        (without("y", lambda y: y.float()), "training labels in int64 .* got torch.float32"),
        (without("y", lambda y: y + 1), r"training labels in 0..1, got 1..2"),
        (without("u", lambda u: u - 1), r"test labels in 0..1, got -1..0"),
        (without("t", lambda t: t[:0]), r"test images .* got torch.uint8 of shape \(0, 1, 6, 6\)"),
        (without("t", lambda t: t[..., :5]), r"of one shape, got \(1, 6, 6\) and \(1, 6, 5\)"),
        (
            without("y", lambda y: 0 * y),
            "training images of every class, got none of class 1: choose features=inception",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused(tmp_path, data, sentence):
    with pytest.raises(InputError, match=sentence):
        train(data(), tmp_path)


def test_too_few_images_are_refused(tmp_path):
    with pytest.raises(
        InputError, match="a judge of 2 classes needs at least 20 training images, got 19: choose"
    ):
        train((*stripes(19), *stripes(8)), tmp_path)


def test_one_class_is_refused(small, tmp_path):
    with pytest.raises(InputError, match="at least 2 classes, got 1: choose features=inception"):
        judge_for(*small, 1, cache_dir=tmp_path)


@pytest.mark.parametrize("options", [{"seed": -1}, {"steps": 9}])
def test_impossible_settings_are_refused(small, tmp_path, options):
    with pytest.raises(InputError, match="a seed of at least 0 and at least 10 steps, got seed"):
        train(small, tmp_path, **options)


def test_images_of_another_shape_are_refused(digits_judge):
    with pytest.raises(InputError, match=r"of shape \(1, 8, 8\), got \(1, 28, 28\): train one"):
        extract(digits_judge, torch.zeros(2, 1, 28, 28))
