"""Every YAML file under configs/ composes and trains for two steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_gan.__main__ import main
from lightning_gan.data import Digits, save_arrays

CONFIGS = Path(__file__).parents[1] / "configs"
QUICK = ["trainer.max_steps=2", "trainer.enable_progress_bar=false", "data.batch_size=4"]
# What costs most of two steps, and has tests of its own.
PLAIN = ["samples=false", "curves=false", "health=false"]
# Where a data set is not at hand, random images of its shape stand in for it.
SHAPES = {
    "mnist": [1, 28, 28],
    "fashion_mnist": [1, 28, 28],
    "cifar10": [3, 32, 32],
    "stacked_mnist": [3, 32, 32],
    "folder": [3, 32, 32],
}


def files(group):
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def fit(tmp_path, *words):
    words = ["fit", *words, *QUICK, f"trainer.default_root_dir={tmp_path}"]
    assert main(words) == 0
    assert (tmp_path / "version_0" / "checkpoints" / "last.ckpt").is_file()


def random_images(shape):
    return ["data=random", f"data.shape={shape}", "data.n=128", "data.num_classes=10"]


def data_of(experiment):
    text = (CONFIGS / "experiment" / f"{experiment}.yaml").read_text()
    return next(
        line.split(":")[1].strip() for line in text.splitlines() if "override /data" in line
    )


def test_every_group_is_tested_here():
    groups = {path.name for path in CONFIGS.iterdir() if path.is_dir()} - {"__pycache__"}
    assert groups == {"data", "experiment", "optimizer"}


@pytest.mark.parametrize("name", files("experiment"))
def test_experiments_train(tmp_path, name):
    data = data_of(name)
    images = random_images(SHAPES[data]) if data in SHAPES else []
    fit(tmp_path, f"experiment={name}", *images, *PLAIN)


@pytest.mark.parametrize("name", [n for n in files("experiment") if n.startswith("mnist_")])
def test_experiments_on_mnist_train_on_the_embedded_digits(tmp_path, name):
    fit(tmp_path, f"experiment={name}", "data=digits", *PLAIN)


@pytest.mark.parametrize("name", files("data"))
def test_data_sets_feed_the_default_networks(tmp_path, name):
    words = [f"data={name}"]
    if name.startswith("mixture_"):  # points are no images
        words += ["generator=mlp", "discriminator=mlp", "samples=false"]
    if name in SHAPES and name != "folder":
        words = random_images(SHAPES[name])
    if name == "folder":
        for index in range(12):
            path = tmp_path / "images" / f"class{index % 2}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), 20 * index, np.uint8)).save(path)
        words.append(f"data.root={tmp_path / 'images'}")
    if name == "arrays":
        save_arrays(Digits(), tmp_path / "arrays", "test")
        words.append(f"data.root={tmp_path / 'arrays'}")
    fit(tmp_path, *words)


@pytest.mark.parametrize("name", files("data"))
def test_data_yaml_composes_as_it_stands(capsys, name):
    root = ["data.root=x"] if name in ("arrays", "folder") else []
    assert main(["fit", f"data={name}", *root, "--print_config"]) == 0
    assert "class_path: lightning_gan.data." in capsys.readouterr().out


@pytest.mark.parametrize("name", files("optimizer"))
def test_optimizers_train(tmp_path, name):
    fit(tmp_path, f"optimizer={name}")


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_says_what_it_is(path):
    comments = [line for line in path.read_text().splitlines()[:2] if line.startswith("# ")]
    assert any(not line.startswith("# @package") for line in comments)
