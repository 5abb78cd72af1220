"""The sweep over known distributions: its words, and the table of what its runs have left."""

from __future__ import annotations

import known_distributions
import pytest
import yaml

from lightning_gan.cli.trainer.sweep import expand
from lightning_gan.components import registry


def left(folder, number, loss, scores, step=9, regularizers=("r1",)):
    """What a run of ten steps leaves."""
    run = folder / str(number) / "version_0"
    run.mkdir(parents=True)
    init = {
        "loss": {"class_path": f"lightning_gan.losses.{loss}"},
        "regularizers": {name: {"class_path": name} for name in regularizers},
        "generator": {"init_args": {"hidden": [64, 64]}},
    }
    data = {"class_path": "lightning_gan.data.MixtureGrid", "init_args": {"side": 5}}
    config = {"data": data, "model": {"init_args": init}, "trainer": {"max_steps": 10}}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    names = ["high_quality", "modes_covered", "rarest_mode", "spread"]
    rows = ["step," + ",".join(f"mixture/{name}" for name in names), "0,0.1,3,0,"]
    if scores is not None:
        rows.append(f"{step}," + ",".join(map(str, scores)))
    (run / "metrics.csv").write_text("\n".join([*rows, f"{step},,,,"]) + "\n")


def test_table(tmp_path):
    left(tmp_path, 0, "A", (0.98, 25, 0.9, 1.0))
    left(tmp_path, 2, "A", (0.9, 24, 0.0, 0.7))
    left(tmp_path, 10, "A", (0.96, 25, 0.8, 0.95))
    left(tmp_path, 3, "B", (0.2, 9, 0.0, ""), regularizers=())
    left(tmp_path, 4, "B", None, regularizers=())
    left(tmp_path, 5, "B", (0.9, 25, 0.9, 1.0), step=4, regularizers=())
    lines = known_distributions.table(known_distributions.read(tmp_path)).splitlines()
    assert lines[2:] == [
        "| MixtureGrid | A | r1 | 64x64 | all modes 2 of 3; modes lost 1 of 3 "
        "| 25 (24 to 25) of 25 | 0.80 (0.00 to 0.90) | 0.96 (0.90 to 0.98) | 0.95 (0.70 to 1.00) |",
        "| MixtureGrid | B | none | 64x64 | diverged 1 of 3; failed 2 of 3 "
        "| 9 of 25 | 0.00 | 0.20 | - |",
    ]


def test_the_one_sweep_has_all_losses_that_stand_alone():
    words = known_distributions.command("runs/x", known_distributions.parse(["runs/x", "--fit"]))
    jobs = list(expand(words[2:]))
    losses = {job["loss"] for job in jobs}
    names = {*registry.names("loss")}
    assert names > {*known_distributions.APART}
    assert losses == {f"loss={name}" for name in names - {*known_distributions.APART}}
    assert len(jobs) == 3 * 2 * len(losses) * len(known_distributions.REGULARIZERS)


def test_the_last_step_is_taken(tmp_path, capsys):
    left(tmp_path, 0, "A", (0.98, 25, 0.9, 1.0))
    assert known_distributions.main([str(tmp_path)]) == 0
    assert "all modes" in capsys.readouterr().out


@pytest.mark.slow
def test_a_small_sweep(tmp_path, capfd):
    words = ["--fit", "--data", "mixture_ring", "--losses", "minimax", "--regularizers", "none"]
    words += ["r1+r2", "--seeds", "1", "--steps", "2"]
    assert known_distributions.main([str(tmp_path / "runs"), *words]) == 0
    assert "2 of 2 jobs finished" in capfd.readouterr().out
    (one, both) = known_distributions.read(tmp_path / "runs")
    assert one.of == ("MixtureRing", 8, "MinimaxLoss", "none", "64x64x64")
    assert both.of[3] == "r1 + r2"
    assert both.scores["modes_covered"] >= 1
