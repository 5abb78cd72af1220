"""The recipes compose, train, resume and sample, and their numbers are the published ones."""

from __future__ import annotations

from importlib import resources
from importlib.metadata import entry_points

import pytest
import yaml

from lightning_gan import load_generator

(COMMAND,) = entry_points(group="console_scripts", name="lightning-gan")
FOLDER = resources.files("lightning_gan_r3gan.configs") / "experiment"
RECIPES = sorted(path.name.removesuffix(".yaml") for path in FOLDER.iterdir())
STAGES = {"r3gan_ffhq64": 5, "r3gan_ffhq256": 7, "r3gan_imagenet64": 5}
QUICK = [
    "data=random",
    "data.n=16",
    "data.num_classes=3",
    "data.batch_size=4",
    "trainer.max_steps=2",
    "trainer.accelerator=cpu",
    "trainer.enable_progress_bar=false",
    "samples=false",
    "curves=false",
    "health=false",
]


def command(*words):
    assert COMMAND.load()(list(words)) == 0


def narrow(name):
    """The recipe's words with the same stages, 8 channels in each."""
    stages = STAGES.get(name, 4)
    words = [f"experiment={name}", *QUICK, f"data.shape=[3,{4 << stages - 1},{4 << stages - 1}]"]
    for player in ("generator", "discriminator") if "dcgan" not in name else ():
        words += [f"model.{player}.widths={[8] * stages}", f"model.{player}.cardinality=2"]
    return words


@pytest.mark.parametrize("name", sorted({*RECIPES} - {"r3gan_ffhq256"}))
def test_a_recipe_trains_and_resumes(tmp_path, name):
    words = [*narrow(name), f"trainer.default_root_dir={tmp_path}"]
    command("fit", *words)
    last = tmp_path / "version_0" / "checkpoints" / "last.ckpt"
    command("fit", *words, "trainer.max_steps=3", f"ckpt_path={last}")
    images = load_generator(tmp_path / "version_0").sample(2, seed=0)
    size = 4 << STAGES.get(name, 4) - 1
    assert images.shape == (2, 3, size, size)
    assert images.isfinite().all()


@pytest.mark.parametrize(
    ("name", "gamma", "half_life", "p", "kimg"),
    [
        ("r3gan_cifar10", (0.05, 0.005), 5000.0, 0.55, 20_000),
        ("r3gan_ffhq64", (2.0, 0.2), 500.0, 0.3, 20_000),
        ("r3gan_ffhq256", (150.0, 15.0), 500.0, 0.3, 20_000),
        ("r3gan_imagenet32", (0.5, 0.05), 50_000.0, 0.5, 200_000),
        ("r3gan_imagenet64", (1.0, 0.1), 50_000.0, 0.4, 200_000),
    ],
)
def test_the_published_numbers(name, gamma, half_life, p, kimg):
    model = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())["model"]
    ends = {
        path: (node["init_args"]["start"], node["init_args"]["end"])
        for path, node in model["schedules"].items()
    }
    assert ends == {
        "regularizers.r1.weight": gamma,
        "regularizers.r2.weight": gamma,
        "generator_optimizer.lr": (2e-4, 5e-5),
        "discriminator_optimizer.lr": (2e-4, 5e-5),
        "generator_optimizer.betas.1": (0.9, 0.99),
        "discriminator_optimizer.betas.1": (0.9, 0.99),
        "ema.half_life_kimg": (0.0, half_life),
        "augment.augments.1.p": (0.0, p),
    }
    assert {node["init_args"]["kimg"] for node in model["schedules"].values()} == {kimg}
