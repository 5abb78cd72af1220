"""A signal ends training after the batch in hand; a finished checkpoint is not resumed in vain."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import forked
import pytest
import pytorch_lightning as pl
import torch
from toys import fit, gan

from lightning_gan.__main__ import main
from lightning_gan.callbacks import GracefulStop, graceful_stop

QUICK = [
    *("generator=mlp", "discriminator=mlp", "model.generator.hidden=[8]", "regularizers=[]"),
    *("model.discriminator.hidden=[8]", "trainer.enable_progress_bar=false"),
]
ENDLESS = [
    *(*QUICK, "data=random", "data.n=64", "data.batch_size=4", "trainer.max_steps=1000000"),
    *("trainer.accelerator=cpu", "trainer.val_check_interval=100000000", "curves=false"),
    *("trainer.default_root_dir=run", "samples.every_n_steps=20", "health=false"),
]


def start(folder, *words, environment=None):
    """Start the command, as the leader of a process group of its own."""
    return forked.Started("lightning_gan", ["fit", *words], folder, environment)


def wait_for(path, *processes):
    for _ in range(6000):
        if path.exists() or any(process.poll() is not None for process in processes):
            return
        time.sleep(0.05)


def end(process):
    """Return all that a process wrote."""
    return forked.end(process)[0]


def child_of(process):
    """Return the process of rank 1."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (child,) = [n for n in children if "lightning_gan" in Path(f"/proc/{n}/cmdline").read_text()]
    return int(child)


def counts(path):
    checkpoint = torch.load(path, weights_only=True)
    return checkpoint["global_step"], checkpoint["state_dict"]["_extra_state"]["progress"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_that_goes_on(tmp_path, number):
    process = start(tmp_path, *ENDLESS)
    wait_for(tmp_path / "run/version_0/samples/grid-00000040.png", process)
    process.send_signal(number)
    process.send_signal(number)  # as timeout does: one request, heard twice
    output = end(process)
    assert process.returncode == 128 + number, output
    assert "Traceback" not in output
    assert "last checkpoint" in output
    assert "--ckpt_path run/version_0/checkpoints/last.ckpt" in output.splitlines()[-1]
    step, progress = counts(tmp_path / "run/version_0/checkpoints/last.ckpt")
    assert step >= 40
    assert progress["batches"] == progress["generator_steps"] == step
    assert f"{signal.Signals(number).name}: training ends after step {step}" in output


class Asks(pl.Callback):
    """Sends a signal to this process at the end of batches."""

    def __init__(self, number, at=(2,)):
        self.number, self.at = number, at

    def on_train_batch_end(self, trainer, *rest):
        if trainer.global_step in self.at:
            signal.raise_signal(self.number)


@pytest.mark.parametrize("number", graceful_stop.STOPPING)
def test_a_script_of_ones_own(tmp_path, number):
    usual = [signal.getsignal(n) for n in graceful_stop.STOPPING]
    stop = GracefulStop()
    trainer = fit(tmp_path, gan(), steps=9, callbacks=[Asks(number), stop])
    assert stop.received == number
    assert trainer.global_step == 2
    assert trainer.max_steps == 9
    assert [signal.getsignal(n) for n in graceful_stop.STOPPING] == usual
    assert fit(tmp_path, gan(), steps=3, callbacks=[stop]).global_step == 3
    assert stop.received is None


def test_a_second_ctrl_c_interrupts(tmp_path, monkeypatch):
    monkeypatch.setattr(graceful_stop, "ONE_REQUEST_SECONDS", -1.0)
    # Not so where a shell has started the tests in the background.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    module = gan()
    twice = [Asks(signal.SIGINT), Asks(signal.SIGINT)]
    try:
        with pytest.raises(SystemExit):
            fit(tmp_path, module, steps=9, callbacks=[*twice, GracefulStop()])
    finally:
        signal.signal(signal.SIGINT, usual)
    assert module.progress.batches == 2


def to_rank_zero(process, number):
    process.send_signal(number)


def to_rank_one(process, number):
    os.kill(child_of(process), number)


def to_all(process, number):
    os.killpg(process.pid, number)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the processes in /proc")
@pytest.mark.parametrize(
    ("send", "number"),
    [(to_rank_zero, signal.SIGTERM), (to_rank_one, signal.SIGTERM), (to_all, signal.SIGINT)],
)
def test_a_signal_to_any_of_two_processes_ends_both(tmp_path, send, number):
    process = start(tmp_path, *ENDLESS, "trainer.devices=2")
    wait_for(tmp_path / "run/version_0/samples/grid-00000040.png", process)
    send(process, number)
    output = end(process)
    assert process.returncode == 128 + number, output
    assert "Traceback" not in output
    assert "error" not in output.lower()
    assert output.count("last checkpoint") == 1
    last = tmp_path / "run/version_0/checkpoints/last.ckpt"
    step, progress = counts(last)
    assert progress["batches"] == progress["generator_steps"] == step >= 40
    assert progress["images"] == step * 8  # of both
    assert f"{signal.Signals(number).name}: training ends after step {step}" in output
    if send is to_rank_one:
        words = [*ENDLESS, "trainer.devices=2", "ckpt_path=last", f"trainer.max_steps={step + 3}"]
        further = start(tmp_path, *words)
        output = end(further)
        assert further.returncode == 0, output
        assert counts(tmp_path / "run/version_1/checkpoints/last.ckpt")[0] == step + 3


def slurm(rank):
    """Return the environment of one of two tasks on one machine."""
    job = {"JOB_ID": "4711", "JOB_NAME": "gan", "NODELIST": "127.0.0.1", "NODEID": "0"}
    tasks = {"NTASKS": "2", "NTASKS_PER_NODE": "2", "PROCID": str(rank), "LOCALID": str(rank)}
    return {f"SLURM_{key}": value for key, value in {**job, **tasks, "NNODES": "1"}.items()}


def test_slurm_requeues_a_job_that_is_pre_empted(tmp_path):
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text('#!/bin/sh\necho "$@" >> requeued\n')
    scontrol.chmod(0o755)
    path = {"PATH": f"{scontrol.parent}:{os.environ['PATH']}"}
    words = [*ENDLESS, "trainer.devices=2"]
    tasks = [start(tmp_path, *words, environment={**slurm(rank), **path}) for rank in (0, 1)]
    wait_for(tmp_path / "run/version_0/samples/grid-00000040.png", *tasks)
    for task in tasks:  # as --signal=SIGUSR1@90 does, and the end of the time that it leaves
        task.send_signal(signal.SIGUSR1)
    wait_for(tmp_path / "requeued", *tasks)
    for task in tasks:
        task.send_signal(signal.SIGTERM)
    outputs = [end(task) for task in tasks]
    assert [task.returncode for task in tasks] == [143, 143], outputs
    assert "Traceback" not in "".join(outputs)
    assert (tmp_path / "requeued").read_text() == "requeue 4711\n"
    step, progress = counts(tmp_path / "run/hpc_ckpt_1.ckpt")
    assert progress["batches"] == progress["generator_steps"] == step
    assert counts(tmp_path / "run/version_0/checkpoints/last.ckpt")[0] >= step
    again = [*words, f"trainer.max_steps={step + 3}"]
    tasks = [start(tmp_path, *again, environment={**slurm(rank), **path}) for rank in (0, 1)]
    outputs = [end(task) for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], outputs
    assert counts(tmp_path / "run/version_1/checkpoints/last.ckpt")[0] == step + 3


def test_a_run_that_is_at_its_end_is_not_resumed_in_vain(tmp_path, capsys):
    words = ["fit", *QUICK, f"trainer.default_root_dir={tmp_path}"]
    assert main([*words, "trainer.max_steps=3"]) == 0
    assert main([*words, "trainer.max_steps=3", "ckpt_path=last"]) == 2
    message = "is at step 3 already; set trainer.max_steps, which is 3, above it"
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["version_0"]
    assert main([*words, "trainer.max_steps=4", "ckpt_path=last"]) == 0


def test_a_part_of_a_configuration_changes_the_default(tmp_path, capsys):
    (tmp_path / "part.yaml").write_text(
        "model:\n  loss: minimax\n  ema:\n    half_life_kimg: 3.0\n"
    )
    assert main(["fit", f"--config={tmp_path / 'part.yaml'}", "--print_config"]) == 0
    printed = capsys.readouterr().out
    assert "lightning_gan.losses.minimax.MinimaxLoss" in printed
    assert "half_life_kimg: 3.0" in printed
    assert "lightning_gan.generators.dcgan.DCGANGenerator" in printed
