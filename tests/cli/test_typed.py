"""What people type means what it says, in both grammars."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml

from lightning_gan import InputError
from lightning_gan.cli.arguments import read_words
from lightning_gan.cli.settings import compose, options
from lightning_gan.cli.settings.resolve import resolve
from lightning_gan.cli.settings.written import configuration_text
from lightning_gan.cli.trainer import launching

ROOT = "trainer.default_root_dir"


def typed(*words):
    """Return the resolved settings of words in one grammar, and of the same as options."""
    return resolve(compose.settings(words))


def as_options(*words):
    request = read_words(["fit", *(f"--{word}" for word in words)])
    return resolve(options.settings_of_options(request.options))


@pytest.mark.parametrize("grammar", [typed, as_options])
@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("~/runs", os.path.expanduser("~/runs")),
        ("~", os.path.expanduser("~")),
        ("~root/runs", os.path.expanduser("~root/runs")),
        ("~nobody_of_this_name/x", "~nobody_of_this_name/x"),
        ("O'Brien", "O'Brien"),
        ("it's 5 o'clock", "it's 5 o'clock"),
        ("${oc.env:LOGS}/x", "/logs/x"),
        ("my runs", "my runs"),
        ("übung (1) & 2", "übung (1) & 2"),
        ("a#b", "a#b"),
        ("a=b", "a=b"),
        ("a~b", "a~b"),
        ("it(s", "it(s"),
        ("'1e5'", "1e5"),
    ],
)
def test_folders_are_named_as_they_are_typed(grammar, text, folder, monkeypatch):
    monkeypatch.setenv("LOGS", "/logs")
    settings = grammar(f"{ROOT}={text}")
    assert settings["trainer"]["default_root_dir"] == folder
    again = yaml.load(configuration_text(settings), options.Loader)
    assert again["trainer"]["default_root_dir"] == folder


@pytest.mark.parametrize("grammar", [typed, as_options])
def test_a_variable_that_is_not_set_is_no_value(grammar):
    with pytest.raises(InputError, match=f"{ROOT}= has no value, as if a variable were not set; "):
        grammar(f"{ROOT}=")
    assert grammar(f"{ROOT}=null")["trainer"]["default_root_dir"] == "runs"


@pytest.mark.parametrize("grammar", [typed, as_options])
@pytest.mark.parametrize(("word", "used"), [("off", False), ("no", False), ("on", True)])
def test_callbacks_have_switches(grammar, word, used):
    assert (grammar(f"samples={word}")["samples"] is not None) is used


@pytest.mark.parametrize("grammar", [typed, as_options])
def test_whole_numbers_and_times(grammar):
    trainer = grammar("trainer.max_steps=1e4", "trainer.max_time=1h30m")["trainer"]
    assert (trainer["max_steps"], type(trainer["max_steps"])) == (10_000, int)
    assert trainer["max_time"] == {"hours": 1, "minutes": 30}
    assert grammar("trainer.max_time=00:01:00:00")["trainer"]["max_time"] == "00:01:00:00"
    with pytest.raises(InputError, match=r"trainer.max_steps: got 10000.5; expected int"):
        grammar("trainer.max_steps=10000.5")


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_numpy_does_not_take(seed):
    with pytest.raises(InputError, match=f"seed_everything: got {seed}; expected 0 to 4294967295"):
        typed(f"seed_everything={seed}")


def test_no_more_threads_than_cores(capsys):
    cores = os.cpu_count()
    assert typed("threads=100000")["threads"] == cores
    assert capsys.readouterr().out == (
        f"threads=100000: this machine has {cores} cores, which are used\n"
    )


@pytest.mark.parametrize("name", ["SGD", "torch.optim.SGD"])
def test_an_optimizer_for_both_by_its_class(name):
    model = typed(f"optimizer={name}", "model.generator_optimizer.lr=0.5")["model"]["init_args"]
    for player, given in (("generator", {"lr": 0.5}), ("discriminator", {})):
        node = model[f"{player}_optimizer"]
        assert node["class_path"].rpartition(".")[2] == "SGD"
        assert node["init_args"] == given


def test_a_bare_run_is_refused():
    with pytest.raises(InputError, match=r"trainer.barebones: got true; it leaves out loggers"):
        typed("trainer.barebones=true")


def test_a_key_that_stands_twice(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("model:\n  generator: mlp\ndata: random\nmodel:\n  discriminator: mlp\n")
    with pytest.raises(InputError, match=r"not valid YAML: the key 'model' stands twice in line 4"):
        options.settings_of_options([("config", str(file))])
    file.write_text("base: &a {x: 1}\nother:\n  <<: *a\n  x: 2\n")
    assert yaml.load(file.read_text(), options.Loader)["other"] == {"x": 2}


def test_a_folder_for_a_configuration(tmp_path):
    (tmp_path / "b.yaml").touch()
    with pytest.raises(InputError, match=r"is a folder, expected a YAML file; it holds .*b.yaml"):
        options.settings_of_options([("config", str(tmp_path))])


def test_the_configurations_of_a_sweep_are_printed_and_nothing_is_trained(command, small, tmp_path):
    result = command(f"fit -m {small} loss=minimax,wasserstein --print_config")
    assert result.code == 0
    first, second = yaml.load_all(result.out, options.Loader)
    losses = [each["model"]["init_args"]["loss"]["class_path"] for each in (first, second)]
    assert [loss.rpartition(".")[2] for loss in losses] == ["MinimaxLoss", "WassersteinLoss"]
    assert "# job 2 of 2: " in result.out
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_over_an_interval(command, small):
    result = command(f"fit -m {small} model.generator_optimizer.lr=interval(0,1)")
    assert result.error.startswith("model.generator_optimizer.lr: got interval(0,1), which has no ")


def callbacks(settings):
    given = settings["trainer"].get("callbacks") or []
    return [node["class_path"].rpartition(".")[2] for node in given]


@pytest.mark.parametrize("grammar", [typed, as_options])
def test_one_callback_is_appended_or_taken_out(grammar):
    words = [f"trainer.callbacks+={name}" for name in ("LearningRateMonitor", "RoundLimit")]
    words.append("trainer.callbacks.1.max_rounds=3")
    assert callbacks(grammar(*words)) == ["LearningRateMonitor", "RoundLimit"]
    assert callbacks(grammar(*words, "trainer.callbacks-=LearningRateMonitor")) == ["RoundLimit"]
    message = (
        "trainer.callbacks: there is no Timer to take out; it holds LearningRateMonitor, Round"
    )
    with pytest.raises(InputError, match=message):
        grammar(*words, "trainer.callbacks-=Timer")


def test_an_item_of_a_list_is_removed_by_its_number():
    words = ["trainer.callbacks=[LearningRateMonitor,Timer]"]
    assert callbacks(typed(*words, "~trainer.callbacks.0")) == ["Timer"]
    with pytest.raises(InputError, match=r"~trainer.callbacks.2: there is no such setting"):
        typed(*words, "~trainer.callbacks.2")


@pytest.mark.parametrize("grammar", [typed, as_options])
@pytest.mark.parametrize("name", ["random", "RandomImages", "lightning_gan.data.RandomImages"])
def test_data_by_any_of_their_names(grammar, name):
    data = grammar(f"data={name}", "data.batch_size=5")["data"]
    assert data["class_path"].startswith("lightning_gan.data.")
    assert data["class_path"].endswith(".RandomImages")
    assert data["init_args"]["batch_size"] == 5


@pytest.mark.parametrize("name", ["random", "RandomImages"])
@pytest.mark.parametrize("text", ["data: {0}", "data: {{class_path: {0}, batch_size: 5}}"])
def test_data_in_a_file_by_any_of_their_names(name, text, tmp_path):
    (tmp_path / "a.yaml").write_text(text.format(name) + "\n")
    base = options.settings_of_options([("config", str(tmp_path / "a.yaml"))])
    data = resolve(base)["data"]
    assert data["class_path"].endswith(".RandomImages")
    assert data["init_args"].get("batch_size", 64) == (5 if "5" in text else 64)


MODULE = """
from pytorch_lightning import LightningDataModule

class Other(LightningDataModule):
    def __init__(self, folder: str = "here"):
        super().__init__()
"""
EXPERIMENT = """# @package _global_
data:
  class_path: their_data.Other
  folder: there
model:
  generator: {class_path: mlp, hidden: [3]}
"""


def test_a_class_in_an_experiment_takes_the_place_of_the_default_choice(install):
    files = {
        "their_data.py": MODULE,
        "their_settings/__init__.py": "",
        "their_settings/experiment/own.yaml": EXPERIMENT,
    }
    install("theirs", {"lightning_gan.configs": ["theirs = their_settings"]}, files)
    settings = typed("experiment=own")
    assert settings["data"] == {
        "class_path": "their_data.Other", "init_args": {"folder": "there"}
    }  # fmt: skip
    generator = settings["model"]["init_args"]["generator"]
    assert generator["class_path"].endswith(".MLPGenerator")
    assert generator["init_args"] == {"hidden": [3]}
    assert typed("experiment=own", "data=random")["data"]["class_path"].endswith(".RandomImages")


@pytest.mark.parametrize("words", [[], ["trainer.devices=2"]])
def test_machines_that_cannot_meet(words, command, small, monkeypatch):
    for name in ("MASTER_ADDR", *launching.MANAGERS):
        monkeypatch.delenv(name, raising=False)
    line = f"fit {small} trainer.num_nodes=2 {' '.join(words)}"
    assert command(line).error.startswith(
        "trainer.num_nodes: got 2, and nothing says where the machines meet; start the command "
    )


def test_others_that_are_waited_for(monkeypatch, capsys):
    monkeypatch.setenv("MASTER_ADDR", "10.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "29500")
    launching.check_machines({"num_nodes": 3})
    assert capsys.readouterr().out == "waiting for 2 other machines at 10.0.0.1:29500\n"
    monkeypatch.setenv("NODE_RANK", "1")
    launching.check_machines({"num_nodes": 3})
    launching.check_machines({"num_nodes": 1})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("where", [">/dev/full", ">&-", "2>/dev/full"])
def test_output_that_goes_nowhere_ends_no_command(where):
    line = f"{sys.executable} -m lightning_gan --help {where}"
    assert subprocess.run(["bash", "-c", line], check=False).returncode == 0


def test_a_terminal_without_our_letters(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "lightning_gan", "fit", "über"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "MPLBACKEND": "module://not_here"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(rb"error: '\xfcber' is not a setting")


def test_a_sweep_keeps_every_item_that_is_appended(command, small):
    names = ["LearningRateMonitor", "TQDMProgressBar"]
    words = " ".join(f"trainer.callbacks+={name}" for name in names)
    result = command(f"fit -m {small} {words} loss=minimax,wasserstein --print_config")
    for made in yaml.load_all(result.out, options.Loader):
        assert callbacks(made) == names


@pytest.mark.parametrize("text", ["müll,haus", "photos (1),photos (2)", "a=b,c"])
def test_several_values_are_never_one_text(text):
    with pytest.raises(InputError, match="is not understood; expected key=value; quote a value"):
        compose.parse(f"data.root={text}")


@pytest.mark.parametrize("where", ["| head -1", "| true"])
def test_a_reader_that_leaves_ends_no_command(where):
    line = f"set -o pipefail; {sys.executable} -m lightning_gan --help {where}"
    done = subprocess.run(["bash", "-c", line], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
