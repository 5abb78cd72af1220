"""The first ten minutes: what there is to do, three questions, the head of a run and its page."""

from __future__ import annotations

import webbrowser

import pytest
import yaml
from PIL import Image

from lightning_gan.cli.arguments import COMMANDS
from lightning_gan.cli.commands import init
from lightning_gan.cli.settings import options
from lightning_gan.cli.settings.resolve import resolve


def test_the_bare_command_says_what_there_is_to_do(command):
    result = command("")
    assert result.code == 0
    assert len(result.out.splitlines()) <= 10
    assert all(len(line) <= 96 for line in result.out.splitlines())
    for line in result.out.splitlines()[2:]:  # each is a command that exists
        name, word, *_ = line.split()
        assert name == "lightning-gan"
        assert word in (*COMMANDS, "--help")


def settings(folder, *words):
    return resolve(options.settings_of_options([("config", str(folder / "gan.yaml")), *words]))


def test_answers_that_nobody_gives_are_said(command, tmp_path):
    result = command("init time=2_000")
    assert result.out == (
        "data=digits\nmachine=auto\nwrote gan.yaml\nnext: lightning-gan fit --config gan.yaml\n"
    )
    trainer = settings(tmp_path)["trainer"]
    assert (trainer["max_steps"], trainer["max_time"]) == (2000, None)
    assert (trainer["accelerator"], trainer["devices"]) == ("auto", 1)
    assert (
        command("init").error == "out: gan.yaml exists already; choose another name, out=NAME.yaml"
    )


def test_a_folder_for_an_hour_on_two_gpus(command, tmp_path):
    (tmp_path / "my photos").mkdir()
    Image.new("RGB", (70, 70)).save(tmp_path / "my photos" / "a.png")
    assert command("init 'data=my photos' time=1h machine=2").code == 0
    made = settings(tmp_path)
    assert made["data"]["init_args"] == {"root": "my photos", "image_size": 64, "batch_size": 64}
    assert made["trainer"]["max_time"] == {"hours": 1}
    assert (made["trainer"]["accelerator"], made["trainer"]["devices"]) == ("gpu", 2)
    assert made["trainer"]["default_root_dir"] == "runs/my_photos"


def test_questions_are_asked(command, monkeypatch, tmp_path):
    asked = []
    answers = iter(["mnist", "", "cpu"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda text: asked.append(text) or next(answers))
    assert command("init").code == 0
    assert asked[0] == (
        "What data? digits, mnist, fashion_mnist, cifar10, or a folder or zip of images [digits]: "
    )
    made = settings(tmp_path)
    assert made["data"]["class_path"] == "lightning_gan.data.MNIST"
    assert made["trainer"]["accelerator"] == "cpu"
    assert made["trainer"]["max_time"] == {"minutes": 10}


@pytest.mark.parametrize("data", init.SETS)
def test_what_is_written_is_a_configuration(data, tmp_path):
    text = init.configuration("gan.yaml", data, "5", "cpu")
    (tmp_path / "gan.yaml").write_text(text)
    made = settings(tmp_path)
    assert made["trainer"]["max_steps"] == 5
    assert made["model"]["init_args"]["ema"]["class_path"].endswith("EMA")
    comments = [line for line in text.splitlines() if "#" in line]
    assert len(comments) >= 15
    assert yaml.safe_load(text)["model"]["generator"]["init_args"]["base_channels"] in (16, 32, 64)


def test_what_is_written_trains(command, tmp_path):
    command("init time=2 machine=cpu")
    less = "--samples=off --curves=off --model.generator.init_args.base_channels=4"
    result = command(f"fit --config gan.yaml {less}")
    assert result.code == 0
    head = dict(line.split("  ", 1) for line in result.out.splitlines() if "  " in line)
    values = {key: value.strip() for key, value in head.items()}
    assert values["networks"].startswith("DCGANGenerator with ")
    assert values["data"] == "Digits, 1,500 samples, 1x8x8 in [-1, 1], 10 classes, batches of 64"
    assert values["device"].startswith("cpu, precision 32-true, ")
    assert values["length"] == "2 steps (0.087 epochs)"
    assert "| Name" not in result.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("data=photo", "data: there is no folder or zip at photo; expected one of digits, mnist, "),
        ("data=mnits", "data: there is no folder or zip at mnits, did you mean 'mnist'?; expected"),
        (
            "data=~nobody_of_this_name/x",
            "data: there is no folder or zip at ~nobody_of_this_name/x",
        ),
        ("time=0m", "time: got '0m'; expected 30s, 10m, 2h, 1h30m, or a number of steps"),
        ("time=3x", "time: got '3x'; expected 30s, 10m, 2h, 1h30m, or a number of steps"),
        ("machine=tpu", "machine: got 'tpu'; expected auto, cpu, gpu or a number of GPUs"),
        ("dta=mnist", "init: 'dta=mnist' is not understood, did you mean 'data'? It takes data="),
    ],
)
def test_answers_that_are_not_understood(command, words, message):
    assert command(f"init {words}").error.startswith(message)


def test_the_page_of_a_run_opens(command, small, monkeypatch, tmp_path):
    command(f"fit {small}")
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    result = command("report runs/version_0 --open")
    assert result.code == 0
    assert opened == [(tmp_path / "runs/version_0/report.html").as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    assert "no browser" in command("report --open runs/version_0").out


def test_the_table_of_all_parts_on_request(command, small, caplog):
    assert command(f"fit {small} summary=full").code == 0
    assert "| Name" in caplog.text
