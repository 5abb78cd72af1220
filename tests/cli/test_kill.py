"""Killed with SIGKILL at any moment, a run goes on from its last checkpoint and loses no more."""

import csv
import os
import random
import signal
import sys
import time

import forked
import pytest
import torch
import toys

from lightning_gan import EMA
from lightning_gan.callbacks import RunCheckpoint
from lightning_gan.cli.trainer.ckpt_path import find_checkpoint
from lightning_gan.data import RandomImages
from lightning_gan.training.checkpoint import read_checkpoint

KILLS = 30
EVERY = 2
STEP_S = 120  # that something which takes a second may take on a busy machine
ENDLESS = 10**9


class Telling(RunCheckpoint):
    """Says at which step training began, and each step of which a checkpoint was written."""

    def __init__(self, tell):
        super().__init__(every_n_train_steps=EVERY)
        self.tell = tell

    def on_train_start(self, trainer, pl_module):
        super().on_train_start(trainer, pl_module)
        self.tell(trainer.global_step)

    def _save_checkpoint(self, trainer, filepath):
        super()._save_checkpoint(trainer, filepath)
        self.tell(trainer.global_step)


def train(folder, steps, pause, told):
    """Train in a process of its own; wait for ``pause`` seconds before every rename."""
    torch.set_num_threads(1)
    rename = os.replace

    def rename_later(*paths):
        time.sleep(pause)
        rename(*paths)

    os.replace = rename_later
    os.environ["PL_GLOBAL_SEED"] = "3"
    torch.manual_seed(3)
    gan = toys.gan(discriminator=toys.discriminator(dropout=0.2), ema=EMA(half_life_kimg=0.05))
    data = RandomImages(shape=[1, 4, 4], n=40, batch_size=8)
    trainer = toys.trainer(
        folder, max_steps=steps, enable_checkpointing=True, callbacks=[Telling(told.send)]
    )
    trainer.fit(gan, data, ckpt_path=find_checkpoint("fit", "last", str(folder), steps))


@pytest.fixture(scope="module")
def start():
    """Start ``train`` in a child of one process that has imported everything already."""
    context = forked.context()

    def call(folder, steps=ENDLESS, pause=0.0):
        told, tell = context.Pipe(duplex=False)
        process = context.Process(target=train, args=(folder, steps, pause, tell))
        process.start()
        tell.close()
        return process, told

    return call


def heard(told, count=sys.maxsize):
    """The next ``count`` things that a process says, or all until it ends."""
    steps = []
    while len(steps) < count:
        try:
            assert told.poll(STEP_S)
            steps.append(told.recv())
        except EOFError:
            break
    return steps


def trained(start, folder, steps):
    process, told = start(folder, steps)
    said = heard(told)
    process.join()
    assert process.exitcode == 0
    return said[0], read_checkpoint(folder / "checkpoints" / "last.ckpt")


def equal(ours, theirs):
    if isinstance(ours, torch.Tensor):
        return torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(equal(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, (list, tuple)):
        return len(ours) == len(theirs) and all(map(equal, ours, theirs))
    return ours == theirs


def test_a_run_that_is_killed_thirty_times_ends_as_one_that_never_was(tmp_path, start):
    folder, moments = tmp_path / "killed", random.Random(0)
    folder.mkdir()
    saved, unfinished = 0, set()
    for number in range(KILLS):
        pause = 0.3 if number % 3 == 0 else 0.0
        process, told = start(folder, pause=pause)
        # One in ten is killed while it starts, the others after some checkpoints.
        said = heard(told, 0 if number % 10 == 9 else moments.randint(1, 8))
        time.sleep(moments.uniform(0, 0.1 + pause))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        said += heard(told)
        steps = {
            path: read_checkpoint(path)["global_step"] for path in folder.rglob("*.ckpt")
        }  # all of them are whole
        before, saved = saved, max(steps.values(), default=0)
        if said:
            assert said[0] == before
            assert saved - max(said) in (0, EVERY)  # written, and killed before it could say so
        unfinished |= set(folder.rglob("*.unfinished"))
    assert unfinished  # some were killed while they wrote
    assert saved > KILLS

    first, ours = trained(start, folder, saved + 3)
    assert first == saved
    first, theirs = trained(start, tmp_path / "whole", saved + 3)
    assert first == 0
    for part in ("state_dict", "optimizer_states", "global_step", "lightning_gan"):
        assert equal(ours[part], theirs[part]), part


def launched(folder, *words):
    return forked.Started("lightning_gan", ["fit", *words], folder)


def wait_for(pattern, folder, process):
    deadline = time.monotonic() + STEP_S
    while not list(folder.glob(pattern)):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_command_is_killed_three_times_and_goes_on(tmp_path, small):
    words = [*small.split(), f"checkpoint.every_n_train_steps={EVERY}", "ckpt_path=last"]
    words += ["trainer.log_every_n_steps=1", "trainer.logger=[]"]
    saved, moments = [0], random.Random(1)
    for number in range(3):
        process = launched(tmp_path, *words, f"trainer.max_steps={ENDLESS}")
        run = tmp_path / "runs" / f"version_{number}"
        wait_for("checkpoints/*.ckpt", run, process)
        time.sleep(moments.uniform(0, 0.5))
        process.kill()
        process.communicate()
        files = list(run.rglob("*.ckpt"))
        saved.append(max(read_checkpoint(path)["global_step"] for path in files))
    process = launched(tmp_path, *words, f"trainer.max_steps={saved[-1] + 3}")
    output, _ = process.communicate(timeout=STEP_S)
    assert process.returncode == 0, output
    last = tmp_path / "runs" / "version_3"
    assert read_checkpoint(last / "checkpoints" / "last.ckpt")["global_step"] == saved[-1] + 3
    with (last / "metrics.csv").open() as file:
        assert int(next(csv.DictReader(file))["step"]) == saved[-1]  # the first step after it
    assert saved == sorted(set(saved))
