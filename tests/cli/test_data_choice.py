"""Another data set than the experiment's keeps what the experiment says about data."""

import pytest

from lightning_gan.cli.settings import compose

DIGITS = {
    "class_path": "lightning_gan.data.Digits",
    "batch_size": 64,
    "image_size": None,
    "labels": True,
    "seed": 0,
}


def data(line):
    return compose.settings(line.split())["data"]


def test_batch_and_image_size_stay():
    assert data("experiment=mnist_cgan data=digits") == {
        **DIGITS,
        "batch_size": 256,
        "image_size": 28,
    }


def test_keys_of_the_old_class_alone_go_and_those_of_the_new_one_come():
    before = data("experiment=mnist_cgan")
    fashion = data("experiment=mnist_cgan data=fashion_mnist")
    assert fashion == {**before, "class_path": "lightning_gan.data.FashionMNIST"}
    assert {"root", "download"} <= before.keys()
    random = data("experiment=mnist_cgan data=random")
    assert (random["batch_size"], random["image_size"], random["n"]) == (256, 28, 1024)
    assert not {"root", "download"} & random.keys()


def test_the_experiments_own_choice_changes_nothing():
    assert data("experiment=mnist_cgan data=mnist") == data("experiment=mnist_cgan")


def test_the_command_line_wins():
    words = "experiment=mnist_cgan data=digits data.batch_size=7"
    assert data(words)["batch_size"] == 7
    assert data("data.image_size=16 experiment=mnist_cgan data=digits")["image_size"] == 16


@pytest.mark.parametrize("experiment", ["experiment=null", "~experiment"])
def test_without_an_experiment_a_data_set_has_its_own_defaults(experiment):
    assert data(f"{experiment} data=digits") == DIGITS


def test_a_class_path_has_no_yaml_whose_keys_could_be_kept():
    assert data("experiment=mnist_cgan data=lightning_gan.data.Digits") == {
        "class_path": "lightning_gan.data.Digits"
    }


def test_other_groups_are_chosen_with_their_own_defaults():
    settings = compose.settings(["experiment=mnist_cgan", "data=digits", "generator=mlp"])
    assert settings["model"]["generator"] == {
        "class_path": "lightning_gan.generators.mlp.MLPGenerator"
    }
    assert settings["data"]["batch_size"] == 256


def test_an_experiment_that_names_a_class_itself(install):
    text = "# @package _global_\n# Own data.\ndata:\n  class_path: theirs.Data\n  batch_size: 3\n"
    install(
        "their-experiment",
        {"lightning_gan.configs": ["theirs = their_configs"]},
        {"their_configs/__init__.py": "", "their_configs/experiment/their_own.yaml": text},
    )
    assert data("experiment=their_own")["class_path"] == "theirs.Data"
    assert data("experiment=their_own data=digits") == DIGITS


def test_a_choice_of_another_group_leaves_the_data_alone():
    assert data("experiment=mnist_cgan optimizer=adam") == data("experiment=mnist_cgan")
