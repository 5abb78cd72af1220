from __future__ import annotations

import re
import shlex
from types import SimpleNamespace

import pytest
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from lightning_gan.callbacks import LossCurves, RunSummary, SampleGrid, durations
from lightning_gan.callbacks.durations import SpeedMeter, duration, roughly
from lightning_gan.callbacks.summary import _print_table

pytestmark = pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")


def table(capsys):
    """What was printed, as {name: value} and the list of next lines."""
    lines = capsys.readouterr().out.splitlines()
    rows = dict(re.split(r"  +", line, maxsplit=1) for line in lines if "next: " not in line)
    return rows, [line.removeprefix("next: ") for line in lines if line.startswith("next: ")]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_names_every_file_of_a_full_run(fake_gan, fit, capsys, tmp_path):
    logger = CSVLogger(tmp_path, name="run", version=0)
    logger.log_metrics({"loss/generator": 1.0}, 0)
    (tmp_path / "run" / "version_0").mkdir(parents=True, exist_ok=True)
    (tmp_path / "run" / "version_0" / "config.yaml").write_text("")
    # The summary comes first in the list and still sees what the others write last.
    callbacks = [RunSummary(), SampleGrid(), LossCurves(), ModelCheckpoint(save_last=True)]
    fit(fake_gan(), *callbacks, logger=logger, enable_checkpointing=True, max_epochs=3)
    rows, commands = table(capsys)
    run = "run/version_0"
    assert rows["run folder"] == run
    assert rows["last checkpoint"] == f"{run}/checkpoints/last.ckpt"
    assert rows["last sample grid"] == f"{run}/samples/grid-00000005.png"
    assert rows["loss curves"] == f"{run}/losses.png"
    assert rows["metrics"] == f"{run}/metrics.csv"
    assert (rows["steps"], rows["epochs"], rows["images seen"]) == ("5", "1", "20")
    assert (rows["loss/discriminator"], rows["loss/generator"]) == ("1", "2")
    assert re.fullmatch(r"\d+\.\d s", rows["training time"])
    assert float(rows["images per second"].replace(",", "")) > 0
    arguments = f"--config {run}/config.yaml --ckpt_path {run}/checkpoints/last.ckpt"
    assert commands == [
        f"lightning-gan report {run} --open",
        f"lightning-gan predict {arguments}",
        f"lightning-gan fit {arguments} --trainer.max_steps=10",
    ]


def test_a_run_without_files_names_the_folder_only(fake_gan, fit, capsys):
    fit(fake_gan(), RunSummary())
    rows, commands = table(capsys)
    assert rows["run folder"] == "."
    assert not {"last checkpoint", "last sample grid", "loss curves", "metrics"} & rows.keys()
    assert commands == []


def test_a_script_gets_python_to_go_on_with(fake_gan, fit, capsys):
    fit(fake_gan(), RunSummary(), ModelCheckpoint(dirpath="ckpt"), enable_checkpointing=True)
    rows, commands = table(capsys)
    assert re.fullmatch(r"ckpt/epoch=0-step=5.ckpt", rows["last checkpoint"])
    path = rows["last checkpoint"]
    assert commands == [f"FakeGAN.load_from_checkpoint('{path}').sample(64)"]


def test_paths_with_spaces_can_be_pasted(fake_gan, fit, capsys, tmp_path):
    folder = tmp_path / "my run"
    folder.mkdir()
    (folder / "config.yaml").write_text("")
    checkpoints = ModelCheckpoint(dirpath=folder, save_last=True)
    options = {"default_root_dir": folder, "enable_checkpointing": True}
    fit(fake_gan(), RunSummary(), checkpoints, **options)
    _, commands = table(capsys)
    words = shlex.split(commands[1])
    assert words[2:] == ["--config", "my run/config.yaml", "--ckpt_path", "my run/last.ckpt"]


def test_the_folder_elsewhere_is_shown_whole(fake_gan, fit, capsys, tmp_path, monkeypatch):
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    fit(fake_gan(), RunSummary(), logger=TensorBoardLogger(tmp_path, name="tb", version=3))
    assert table(capsys)[0]["run folder"] == str(tmp_path / "tb" / "version_3")


def test_a_resumed_run_measures_its_own_images_only(fake_gan, fit, capsys, monkeypatch):
    gan = fake_gan()
    gan.progress = type(gan.progress)(images=1_000_000)
    clock = iter([10.0, 12.0])
    own = SimpleNamespace(perf_counter=lambda: next(clock))
    monkeypatch.setattr("lightning_gan.callbacks.summary.time", own)
    fit(gan, RunSummary())
    rows, _ = table(capsys)
    assert rows["images seen"] == "1,000,020"
    assert (rows["training time"], rows["images per second"]) == ("2.0 s", "10")


def test_fast_dev_run_prints_nothing(fake_gan, fit, capsys):
    fit(fake_gan(), RunSummary(), fast_dev_run=True, max_steps=-1)
    assert "run folder" not in capsys.readouterr().out


def test_other_ranks_print_nothing(fake_gan, fit, capsys, make_trainer, monkeypatch):
    summary, gan, trainer = RunSummary(), fake_gan(), make_trainer()
    monkeypatch.setattr(type(trainer), "is_global_zero", False)
    summary.on_train_start(trainer, gan)
    summary.on_train_end(trainer, gan)
    summary.teardown(trainer, gan, "fit")
    assert capsys.readouterr().out == ""


def test_nothing_is_printed_where_training_did_not_end(fake_gan, make_trainer, capsys):
    summary, gan, trainer = RunSummary(), fake_gan(), make_trainer()
    summary.on_train_start(trainer, gan)
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "networks", "device", "run folder", "length",
    ]  # fmt: skip
    summary.teardown(trainer, gan, "fit")
    assert capsys.readouterr().out == ""


def test_a_module_of_another_kind_is_summarized_as_far_as_it_goes(fake_gan, fit, capsys):
    class Other(fake_gan):
        def on_train_start(self):
            del self.progress, self.latest_metrics

        def training_step(self, batch, batch_idx):
            return self.weight.sum()

        def on_train_end(self):
            pass

    gan = Other()
    fit(gan, RunSummary())
    rows, _ = table(capsys)
    assert rows["steps"] == "5"
    assert not {"images seen", "images per second", "loss/generator"} & rows.keys()


def test_a_terminal_gets_a_frame_and_whole_commands(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    command = "lightning-gan predict --config " + "a" * 60
    _print_table([("run folder", "runs/[0]"), ("steps", "5")], [command])
    printed = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert re.search(r"│ run folder │ runs/\[0\] +│", printed)
    assert f"next: {command}\n" in printed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (61.0, "0:01:01"), (90061.0, "25:01:01")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_how_long_it_takes_is_told_once_from_measured_steps(fake_gan, fit, capsys, monkeypatch):
    monkeypatch.setattr(durations, "MEASURED_S", 0.0)
    fit(fake_gan(), RunSummary(), max_epochs=3)
    times = [line for line in capsys.readouterr().out.splitlines() if line.startswith("time ")]
    assert len(times) == 1
    assert re.fullmatch(r"time        about 5 seconds to go, \S+ s a step", times[0])


def test_the_clock_begins_after_the_warm_up(monkeypatch):
    """Steps of a second each, but for the first ones of an hour: they are not counted."""
    times = iter([0.0, 3600.0, 7200.0, *(7200.0 + n for n in range(1, 100))])
    monkeypatch.setattr(durations.time, "perf_counter", lambda: next(times))
    limits = {"max_steps": 1000, "max_epochs": None, "num_training_batches": 10}
    trainer = type("Trainer", (), {**limits, "global_step": 100})()
    meter, told = SpeedMeter(100), []
    for step in range(101, 120):
        trainer.global_step = step
        told.append(meter.left(trainer))
    # After 3 + 5 steps: 892 are to go.
    assert told[7] == (892.0, 1.0)
    assert told.count(None) == len(told) - 1


def test_nothing_is_told_at_the_end(monkeypatch):
    times = iter(float(n) for n in range(20))
    monkeypatch.setattr(durations, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    trainer = SimpleNamespace(max_steps=8, max_epochs=None, num_training_batches=10, global_step=0)
    meter, told = SpeedMeter(0), []
    for step in range(1, 9):
        trainer.global_step = step
        told.append(meter.left(trainer))
    assert told == [None] * 8  # measured at the eighth, which is the last


def test_durations_that_are_known_roughly():
    said = [roughly(seconds) for seconds in (8, 40, 1490, 9000)]
    assert said == ["about 10 seconds", "about 40 seconds", "about 25 minutes", "about 2.5 hours"]
