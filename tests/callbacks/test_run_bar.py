"""One bar for the whole run on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import io
import re

import pytest
import pytorch_lightning as pl
import toys
from rich.console import Console

from lightning_gan.callbacks import RunBar, run_bar


def console(terminal, **options):
    return Console(
        file=io.StringIO(), force_terminal=terminal, width=80, highlight=False, **options
    )


def shown(screen):
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.file.getvalue())
    return [line for line in re.split(r"[\r\n]+", text) if line.strip()]


def test_a_terminal_has_one_line_that_fits():
    screen = console(True)
    meter = run_bar.ProgressMeter("training", 1_000_000, 10, 640, screen)
    losses = {"loss/discriminator": 0.12345, "loss/generator": 12.3456}
    meter.show(900_010, 640 + 64 * 900_000, losses)
    meter.close()
    last = shown(screen)[-1]
    assert re.match(r"training ━+[╸╺]?━* +900,010/1,000,000 .* left .* img/s D 0.123 G 12.3$", last)
    assert all(len(line) <= 80 for line in shown(screen))


def test_other_places_have_lines():
    screen = console(False)
    meter = run_bar.ProgressMeter("training", 200, 0, 0, screen)
    assert meter.bar is None
    meter.show(50, 800, {"loss/generator": 0.5})
    meter.show(100, 0, {})
    first, second = shown(screen)
    assert re.fullmatch(
        r"training: step 50 of 200, .* left, [\d,]+ images a second, loss G 0.5", first
    )
    assert re.fullmatch(r"training: step 100 of 200, .* left", second)


def test_nobody_knows_how_long():
    screen = console(False)
    run_bar.ProgressMeter("training", None, 0, 0, screen).show(7, 0, {})
    assert shown(screen) == ["training: step 7"]


@pytest.mark.parametrize(
    ("options", "total"),
    [
        ({"max_steps": 7, "max_epochs": -1}, 7),
        ({"max_epochs": 2}, 8),
        ({"max_steps": 7, "max_epochs": 1}, 4),
        ({"max_steps": 3, "max_epochs": 1}, 3),
    ],
)
def test_the_whole_run_is_counted(options, total, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_bar, "FIRST_LINE_S", 0.0)
    monkeypatch.setattr(run_bar, "LINE_S", 0.0)
    trainer = pl.Trainer(
        default_root_dir=tmp_path, logger=False, enable_checkpointing=False, accelerator="cpu",
        enable_model_summary=False, callbacks=[RunBar()], **options,
    )  # fmt: skip
    trainer.fit(toys.gan(), toys.loader())
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("training")]
    assert [line.split(",")[0] for line in lines] == [
        f"training: step {step} of {total}" for step in range(1, total + 1)
    ]


def test_other_commands_have_bars_of_their_batches(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_bar, "FIRST_LINE_S", 0.0)
    monkeypatch.setattr(run_bar, "LINE_S", 0.0)
    trainer = pl.Trainer(
        default_root_dir=tmp_path, logger=False, accelerator="cpu", callbacks=[RunBar()]
    )
    trainer.validate(toys.gan(), toys.loader(), verbose=False)
    trainer.predict(toys.gan(), toys.loader())
    lines = capsys.readouterr().out.splitlines()
    for what in ("validating", "predicting"):
        counted = [line.split(",")[0] for line in lines if line.startswith(what)]
        assert counted == [f"{what}: step {step} of 4" for step in range(1, 5)]


def test_nothing_on_other_processes_and_after_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_bar, "FIRST_LINE_S", 0.0)
    bar = RunBar()
    bar.disable()
    trainer = pl.Trainer(
        default_root_dir=tmp_path, logger=False, enable_checkpointing=False, accelerator="cpu",
        max_steps=2, callbacks=[bar], enable_model_summary=False,
    )  # fmt: skip
    bar.disable()
    trainer.fit(toys.gan(), toys.loader())
    assert "training" not in capsys.readouterr().out
    bar.enable()
    bar._begin("training", 3)
    bar.on_exception(trainer, toys.gan(), RuntimeError())
    assert bar._meter is None


def test_one_bar_at_a_time():
    outer = run_bar.ProgressMeter("training", 5, 0, 0, console(True))
    inner = run_bar.ProgressMeter("drawing", 5, 0, 0, console(True))
    assert outer.bar is not None
    assert inner.bar is None
    inner.close()
    outer.close()
    later = run_bar.ProgressMeter("drawing", 5, 0, 0, screen := console(True))
    later.done = 5
    later.close()
    assert "5/5" in shown(screen)[-1]
