"""What experiment=few_shot chooses for a folder, what it says, and what it refuses."""

import numpy as np
import pytest
import yaml
from PIL import Image

from lightning_gan.cli.trainer import few_shot
from lightning_gan.errors import InputError


@pytest.fixture
def pictures(tmp_path):
    def make(count, side=(8, 8), name="own", mode="RGB"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        first = len(list(folder.iterdir()))
        drawn = np.random.default_rng(first)
        for number in range(first, first + count):
            pixels = drawn.integers(0, 256, (side[1], side[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).convert(mode).save(folder / f"{number:04}.png")
        return folder

    return make


def choose(folder, *words):
    chosen = few_shot.fill_in(["experiment=few_shot", f"data.root={folder}", *words])
    first = list(chosen.words).index("experiment=few_shot")
    return dict(word.split("=") for word in chosen.words[:first]), chosen.lines


def test_images_of_one_size_keep_it_and_small_sets_get_diffaugment(pictures):
    values, lines = choose(pictures(60, (12, 12)))
    assert values["data.image_size"] == "12"
    assert values["data.batch_size"] == "32"
    assert values["augment"] == "diffaugment"
    assert values["model.augment.policy"] == "[translation]"
    assert "data.clusters" not in values
    assert not [line for line in lines if "note" in line]
    assert f"data.image_size={values['data.image_size']}" in lines[1]


def test_a_batch_is_never_larger_than_the_folder(pictures):
    assert choose(pictures(20))[0]["data.batch_size"] == "16"


def test_sizes_that_differ_become_a_power_of_two(pictures):
    pictures(9, (20, 40))
    values, lines = choose(pictures(8, (19, 19)))
    assert values["data.image_size"] == "16"
    notes = "\n".join(line for line in lines if "note" in line)
    assert "images of 2 sizes become one; of 9 that are not square the middle is kept" in notes


def test_large_images_become_as_large_as_the_machine_takes(pictures):
    folder = pictures(8, (300, 300))
    assert choose(folder, "trainer.accelerator=cpu")[0]["data.image_size"] == "64"
    assert choose(folder, "trainer.accelerator=gpu")[0]["data.image_size"] == "256"


def test_many_images_without_classes_get_groups(pictures, monkeypatch):
    monkeypatch.setattr(few_shot, "GROUPED", 12)
    assert choose(pictures(12))[0]["data.clusters"] == "16"
    pictures(6, name="classes_a")
    root = pictures(6, name="classes_b").parent / "classes"
    root.mkdir()
    for name in ("a", "b"):
        (root.parent / f"classes_{name}").rename(root / name)
    assert "data.clusters" not in choose(root)[0]


def test_large_images_get_fastgan_which_trains(pictures, command, monkeypatch):
    assert "generator" not in choose(pictures(8, (12, 12)))[0]
    monkeypatch.setattr(few_shot, "FASTGAN_FROM", 8)
    folder = pictures(1, (8, 8))
    assert "discriminator" not in choose(folder, "generator=dcgan")[0]
    values, _ = choose(folder)
    assert values["generator"] == "fastgan"
    result = command(
        f"fit experiment=few_shot data.root={folder} data.image_size=8 trainer.max_steps=2 "
        "model.generator.base_channels=1 model.discriminator.base_channels=1 samples=false "
        "curves=false trainer.accelerator=cpu trainer.enable_progress_bar=false"
    )
    assert result.code == 0
    assert "FastGANGenerator" in result.out
    with open("runs/few_shot/version_0/config.yaml") as file:
        model = yaml.safe_load(file)["model"]["init_args"]
    assert model["generator_optimizer"]["init_args"]["lr"] == 2e-4
    assert list(model["regularizers"]) == ["self_supervised_reconstruction"]
    assert model["generator_lr_scheduler"] is None


def test_many_images_get_an_augmentation_that_adapts(pictures, monkeypatch):
    monkeypatch.setattr(few_shot, "ADAPTIVE", 50)
    monkeypatch.setattr(few_shot, "MANY", 55)
    values, lines = choose(pictures(60))
    assert values["augment"] == "ada"
    assert "60 images are more than 55" in lines[-1]


def test_what_is_typed_is_not_chosen(pictures):
    values, lines = choose(pictures(60), "data.image_size=4", "augment=identity")
    assert set(values) == {"data.batch_size"}
    assert "identity" not in "".join(lines)


def test_few_images_copies_and_modes_are_told(pictures):
    folder = pictures(10)
    (folder / "again.png").write_bytes((folder / "0000.png").read_bytes())
    pictures(1, mode="L")
    notes = "\n".join(line for line in choose(folder)[1] if "note" in line)
    assert "12 images are few" in notes
    assert "1 of the images are copies, such as 0000.png = again.png" in notes
    assert "2 modes (11 RGB, 1 L)" in notes


def test_other_runs_are_left_alone(pictures):
    folder = pictures(8)
    for words in (
        ["data=folder", f"data.root={folder}"],
        ["experiment=digits_dcgan"],
        ["experiment=few_shot", "data=digits"],
        ["experiment=few_shot"],
        ["experiment=few_shot", "data=arrays", f"data.root={folder}"],
    ):
        assert few_shot.fill_in(words) == (words, ())


def test_too_few_images_are_refused(pictures):
    folder = pictures(3)
    with pytest.raises(InputError, match=r"needs 8 images or more.* holds 3: add some"):
        choose(folder)


@pytest.mark.parametrize("name", ["empty", "nothing"])
def test_folders_without_images_end_in_one_sentence(command, tmp_path, name):
    (tmp_path / "empty").mkdir()
    result = command(f"fit experiment=few_shot data.root={name}")
    assert result.code == 2
    assert name in result.error


def test_choices_are_in_the_configuration_and_a_run_of_it_does_not_look_again(pictures, command):
    folder = pictures(9, (12, 12))
    small = (
        "trainer.max_steps=2 model.generator.base_channels=4 model.discriminator.base_channels=4 "
        "samples=false curves=false trainer.accelerator=cpu trainer.enable_progress_bar=false"
    )
    result = command(f"fit experiment=few_shot data.root={folder} {small}")
    assert result.code == 0
    assert "data.image_size=12" in result.out
    assert "memory: about" in result.out
    with open("runs/few_shot/version_0/config.yaml") as file:
        config = yaml.safe_load(file)
    assert config["data"]["init_args"]["image_size"] == 12
    assert config["data"]["init_args"]["batch_size"] == 8
    assert config["model"]["init_args"]["augment"]["class_path"].endswith("DiffAugment")
    pictures(30, (20, 20))  # the folder has become another
    result = command(
        "fit --config runs/few_shot/version_0/config.yaml --trainer.max_steps=4 "
        "--ckpt_path runs/few_shot/version_0/checkpoints/last.ckpt"
    )
    assert result.code == 0
    assert "chosen" not in result.out
    assert "3x12x12" in result.out


def test_a_printed_configuration_begins_with_the_choices_as_comments(pictures, command):
    result = command(f"fit experiment=few_shot data.root={pictures(9, (12, 12))} --print_config")
    assert result.out.startswith("# few_shot: chosen for ")
    assert yaml.safe_load(result.out)["data"]["init_args"]["image_size"] == 12
