"""The command with two processes: strategies, and sweeps whose jobs have two each."""

from __future__ import annotations

import json
import os
import signal
import time

import forked
import pytest
import torch

from lightning_gan.__main__ import main

# A module of the folder one works in: notes what every process trained, and of which run it was.
WITNESS = """
import json
import os
from pathlib import Path

import pytorch_lightning as pl
import torch


class Witness(pl.Callback):
    def on_train_end(self, trainer, pl_module):
        weights = torch.cat([p.detach().flatten() for p in pl_module.parameters()])
        note = {
            "strategy": type(trainer.strategy).__name__,
            "world_size": trainer.world_size,
            "steps": trainer.global_step,
            "weights": weights.tolist(),
            "root": trainer.default_root_dir,
            "local_rank": os.environ["LOCAL_RANK"],
        }
        path = Path(f"{trainer.global_rank}-of-{Path(trainer.default_root_dir).name}.jsonl")
        with path.open("a") as file:
            file.write(json.dumps(note) + "\\n")
"""
TWO = [
    *("data=random", "data.n=16", "data.batch_size=4", "generator=mlp", "discriminator=mlp"),
    *("model.generator.hidden=[4]", "model.discriminator.hidden=[4]", "regularizers=[]"),
    *("trainer.accelerator=cpu", "trainer.devices=2", "trainer.max_steps=3", "health=false"),
    *("samples=false", "curves=false", "trainer.enable_progress_bar=false"),
]


def run(folder, *words, **environment):
    (folder / "witness.py").write_text(WITNESS)
    return forked.run("lightning_gan", "fit", *words, folder=folder, environment=environment)


def note(folder, rank, run):
    """Return what one process wrote; it wrote once."""
    (line,) = (folder / f"{rank}-of-{run}.jsonl").read_text().splitlines()
    return json.loads(line)


def test_each_job_of_a_sweep_trains_once_in_two_processes(tmp_path):
    strategies = ["auto", "ddp_find_unused_parameters_true"]
    words = [*TWO, "trainer.callbacks=[{class_path: witness.Witness}]"]
    words += [f"trainer.strategy={','.join(strategies)}", "trainer.default_root_dir=jobs"]
    done = run(tmp_path, "-m", *words, LOCAL_RANK="0", WORLD_SIZE="2")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 jobs finished; their runs are in jobs" in done.stdout
    assert len(list(tmp_path.glob("*.jsonl"))) == 4
    for job, strategy in enumerate(["GANDDPStrategy", "DDPStrategy"]):
        zero, one = (note(tmp_path, rank, job) for rank in (0, 1))
        assert zero["weights"] == one["weights"]
        assert zero["strategy"] == one["strategy"] == strategy
        assert zero["world_size"] == 2
        assert zero["steps"] == 3
        assert zero["root"] == one["root"] == f"jobs/{job}"
        assert [path.name for path in (tmp_path / "jobs" / str(job)).iterdir()] == ["version_0"]
        last = tmp_path / f"jobs/{job}/version_0/checkpoints/last.ckpt"
        assert torch.load(last, weights_only=True)["global_step"] == 3


@pytest.mark.parametrize(
    "name", ["ddp", "ddp_find_unused_parameters_false", "ddp_spawn", "fsdp", "deepspeed_stage_2"]
)
def test_strategies_that_cannot_are_refused_in_one_process(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", *TWO, f"trainer.strategy={name}"]) == 2
    assert capsys.readouterr().err == (
        f"error: trainer.strategy={name} cannot train two players that take turns; "
        "use trainer.strategy=gan_ddp\n"
    )


def test_a_strategy_given_by_its_class_stops_both_processes(tmp_path):
    strategy = "{class_path: pytorch_lightning.strategies.DDPStrategy}"
    done = run(tmp_path, *TWO, f"trainer.strategy={strategy}")
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("error: ") == 1
    assert "error: trainer.strategy=ddp expects every parameter in every" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_sweep_and_torchrun_do_not_go_together(monkeypatch, capsys):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert main(["fit", "-m", *TWO, "model.loss=minimax,non_saturating"]) == 2
    assert capsys.readouterr().err == (
        "error: -m starts the processes of every job itself, and torchrun would run every job "
        "once for each process; leave torchrun out and set trainer.devices\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_job_in_hand_and_the_sweep(tmp_path, number):
    words = [word for word in TWO if word != "samples=false"]
    words += ["trainer.devices=1", "trainer.max_steps=1000000,2000000"]
    words += ["samples.every_n_steps=20", "trainer.val_check_interval=100000000"]
    sweep = forked.Started("lightning_gan", ["fit", "-m", *words], tmp_path)
    for _ in range(6000):
        if list(tmp_path.rglob("grid-00000020.png")) or sweep.poll() is not None:
            break
        time.sleep(0.05)
    if number == signal.SIGINT:
        os.killpg(sweep.pid, number)  # as a terminal does
    else:
        sweep.send_signal(number)
    output, _ = forked.end(sweep)
    assert sweep.returncode == 128 + number, output
    assert "job 1 of 2" in output
    assert "job 2 of 2" not in output
    assert "0 of 2 jobs finished" in output
    assert "Traceback" not in output
    (last,) = tmp_path.rglob("last.ckpt")
    assert torch.load(last, weights_only=True)["global_step"] >= 20
