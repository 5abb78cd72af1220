"""``init_from`` of the command: fine-tuning in both grammars, its table, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

from lightning_gan.training.module import GANModule

LAST = "checkpoints/last.ckpt"


@pytest.fixture
def first(command, small):
    """The checkpoint of a small run."""
    assert command(f"fit {small}").code == 0
    return f"runs/version_0/{LAST}"


def test_both_grammars_begin_with_a_checkpoint_and_keep_the_table(
    command, first, small, small_options
):
    result = command(f"fit {small} init_from={first} init_from.strict=true")
    assert result.code == 0, result.err
    assert "generator      4       0        0              0    0\n" in result.out
    options = command(f"fit {small_options} --init_from={first} --init_from.only=generator")
    assert options.code == 0, options.err
    tables = [json.loads(Path(f"runs/version_{n}/init_from.json").read_text()) for n in (1, 2)]
    assert list(tables[0]["networks"]) == ["generator", "discriminator", "average"]
    assert list(tables[1]["networks"]) == ["generator", "average"]
    saved = yaml.safe_load(Path("runs/version_2/config.yaml").read_text())
    assert saved["init_from"] == {"path": first, "only": "generator"}
    gan = GANModule.load_from_checkpoint(f"runs/version_1/{LAST}")
    assert gan.progress.batches == 2  # and not 4
    assert gan.origins[0]["name"] == "last.ckpt"


def test_freezing_and_rates_from_the_command(command, first, small):
    words = "model.freeze=[discriminator.layers] 'model.rates={generator.layers.0: 0.1}'"
    result = command(f"fit {small} init_from={first} {words}")
    assert result.code == 0, result.err
    old, new = (GANModule.load_from_checkpoint(f"runs/version_{n}/{LAST}") for n in (0, 1))
    frozen = [net.discriminator.layers[0].weight for net in (old, new)]
    assert torch.equal(*frozen)
    assert new.generator_settings.rates == {"generator.layers.0": 0.1}


def test_a_fine_tuned_run_goes_on_without_the_file(command, first, small):
    assert command(f"fit {small} init_from={first}").code == 0
    Path(first).unlink()
    config = "fit --config runs/version_1/config.yaml"
    result = command(f"{config} --ckpt_path=runs/version_1/{LAST} --trainer.max_steps=3")
    assert result.code == 0, result.err
    assert f"which holds all weights: init_from={first} is left aside" in result.out
    assert torch.load(f"runs/version_2/{LAST}", weights_only=True)["global_step"] == 3
    assert not Path("runs/version_2/init_from.json").exists()


def test_other_data_and_classes(command, first, small):
    """None in the first checkpoint, ten in the second, five in the third."""
    result = command(f"fit {small} data.num_classes=10 init_from={first}")
    assert result.code == 0, result.err
    assert "not in the file, begins new: classes" in result.out
    second = f"runs/version_1/{LAST}"
    result = command(f"fit {small} data.num_classes=5 init_from={second}")
    assert result.code == 0, result.err
    assert "in part: " in result.out
    assert "5 of 5 classes (the file has 10)" in result.out


@pytest.mark.parametrize(
    ("words", "message"),
    {
        "init_from=nowhere.ckpt": "init_from: nothing is at nowhere.ckpt",
        "init_from=3": "init_from: got 3; expected the path of a checkpoint, a training package "
        "or weights to begin with",
        "init_from.strict=true": "init_from.path is missing; expected str, a checkpoint, a "
        "training package, an exported generator or a file of weights: init_from.path=...",
        "init_from.only=g init_from.path=x": "init_from.only: got 'g'; expected 'generator' or "
        "'discriminator' or null",
        "init_from.weights=x": "init_from.weights: Beginning has no such setting. It accepts "
        "path, strict, only, average, rename",
    }.items(),
)
def test_wrong_settings_end_in_a_sentence_and_leave_no_run(command, small, words, message):
    result = command(f"fit {small} {words}")
    assert result.code == 2
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert errors == [f"error: {message}"]
    assert not list(Path().glob("runs/version_*"))


def test_weights_that_do_not_fit_leave_no_run(command, first, small):
    result = command(f"fit {small} init_from={first} model.generator.hidden=[7] init_from.strict=1")
    assert result.code == 2
    torch.save({"x": torch.zeros(1)}, "x.pt")
    result = command(f"fit {small} init_from=x.pt")
    assert result.code == 2
    assert "nothing of x.pt fits" in result.err
    assert not Path("runs/version_1").exists()


def test_a_benchmark_begins_with_nothing(command):
    result = command("benchmark data=random init_from=x.ckpt")
    assert result.error == ("benchmark trains from the start, got init_from=x.ckpt: leave it out")
