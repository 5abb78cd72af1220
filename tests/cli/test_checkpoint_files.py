"""Which file a run starts from when some are damaged, and what is left on a disk that is full."""

import errno
import os
import re
import subprocess
import sys

import pytest
import torch
import toys

from lightning_gan.cli.trainer.ckpt_path import disk_explained, find_checkpoint
from lightning_gan.errors import InputError
from lightning_gan.training.checkpoint import read_checkpoint

LAST = "checkpoints/last.ckpt"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The content of a checkpoint."""
    folder = tmp_path_factory.mktemp("made")
    toys.fit(folder, toys.gan(), steps=1).save_checkpoint(folder / "a.ckpt", weights_only=False)
    return torch.load(folder / "a.ckpt", weights_only=True)


@pytest.fixture
def write(tmp_path, checkpoint):
    """Write a checkpoint of a step, at a time, less some of its keys."""

    def call(name, step, time, without=()):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {**checkpoint, "global_step": step}
        torch.save({k: v for k, v in content.items() if k not in without}, path)
        os.utime(path, (time, time))
        return path

    return call


def truncate(path):
    time = path.stat().st_mtime
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    os.utime(path, (time, time))


def last(tmp_path, command="fit"):
    return find_checkpoint(command, "last", str(tmp_path))


def passed_over(path, why):
    return f"ckpt_path=last passes over a file: {path} {why}\n"


# The newest state -----------------------------------------------------------------------------


def test_a_truncated_file_is_passed_over(tmp_path, write, capsys):
    older = write("version_0/checkpoints/step_4.ckpt", 4, time=100)
    newest = write(f"version_0/{LAST}", 6, time=200)
    assert last(tmp_path) == str(newest)
    assert capsys.readouterr().out == ""
    truncate(newest)
    assert last(tmp_path) == str(older)
    out = capsys.readouterr().out
    assert out == passed_over(newest, "is not a checkpoint or is damaged")


def test_a_foreign_file_is_passed_over(tmp_path, write, capsys):
    ours = write(f"version_0/{LAST}", 6, time=100)
    foreign = tmp_path / "classifier.ckpt"
    torch.save({"state_dict": {}}, foreign)
    assert last(tmp_path) == str(ours)
    assert capsys.readouterr().out == passed_over(foreign, "was not written by a GANModule")


def test_an_older_run_is_taken_where_the_newest_has_nothing(tmp_path, write, capsys):
    older = write(f"version_0/{LAST}", 6, time=100)
    newest = write(f"version_1/{LAST}", 9, time=200)
    truncate(newest)
    assert last(tmp_path) == str(older)
    assert str(newest) in capsys.readouterr().out


def test_a_run_that_was_killed_before_its_first_last_file(tmp_path, write):
    write(f"version_0/{LAST}", 60, time=100)
    periodic = write("version_1/checkpoints/step_2.ckpt", 2, time=200)
    assert last(tmp_path) == str(periodic)


def test_a_periodic_file_that_is_ahead_of_the_last_one(tmp_path, write):
    write(f"version_0/{LAST}", 2, time=100)
    ahead = write("version_0/checkpoints/step_4.ckpt", 4, time=200)
    assert last(tmp_path) == str(ahead)


def test_copies_that_have_other_times(tmp_path, write):
    furthest = write(f"version_0/{LAST}", 6, time=100)
    write("version_0/checkpoints/step_4.ckpt", 4, time=200)
    assert last(tmp_path) == str(furthest)


def test_nothing_that_can_be_used(tmp_path, write):
    assert last(tmp_path) is None
    truncate(write(f"version_0/{LAST}", 6, time=100))
    with pytest.raises(InputError) as error:
        last(tmp_path)
    assert str(error.value) == (
        f"ckpt_path: got 'last', but no checkpoint below {tmp_path} can be used"
    )


def test_weights_alone_are_too_little_to_train_on(tmp_path, write, capsys):
    whole = write(f"version_0/{LAST}", 6, time=100)
    light = write("version_0/checkpoints/light.ckpt", 8, time=200, without=["optimizer_states"])
    why = "holds weights alone, and training goes on from all of its state"
    assert last(tmp_path) == str(whole)
    assert capsys.readouterr().out == passed_over(light, why)
    assert last(tmp_path, "validate") == str(light)
    with pytest.raises(InputError) as error:
        find_checkpoint("fit", str(light), str(tmp_path))
    assert str(error.value) == f"ckpt_path: {light} {why}"


# Through the command --------------------------------------------------------------------------


def test_a_truncated_file_by_its_path_is_one_sentence(command, small, tmp_path):
    assert command(f"fit {small}").code == 0
    path = f"runs/version_0/{LAST}"
    truncate(tmp_path / path)
    result = command(f"fit {small} trainer.max_steps=4 ckpt_path={path}")
    assert result.code == 2
    assert result.error == f"ckpt_path: {path} is not a checkpoint or is damaged"


def test_a_run_goes_further_from_its_newest_whole_file(command, small, tmp_path):
    words = f"fit {small} checkpoint.every_n_train_steps=2"
    assert command(f"{words} trainer.max_steps=3").code == 0
    truncate(tmp_path / f"runs/version_0/{LAST}")
    result = command(f"{words} trainer.max_steps=5 ckpt_path=last")
    assert result.code == 0, result.err
    assert f"passes over a file: runs/version_0/{LAST} is not" in result.out
    assert read_checkpoint(tmp_path / f"runs/version_1/{LAST}")["global_step"] == 5


def test_a_failure_to_save_ends_the_run_with_one_sentence(command, small, tmp_path, monkeypatch):
    rename, saves = os.replace, []

    def fill(source, target):
        if str(target).endswith(".ckpt"):
            saves.append(target)
            if len(saves) == 4:  # step 2, last, step 4, and this one
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(source, target)

    words = f"fit {small} checkpoint.every_n_train_steps=2"
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fill)
        result = command(f"{words} trainer.max_steps=10")
    assert result.code == 2
    assert result.err.splitlines()[-1] == (
        f"error: cannot save runs/version_0/{LAST}: No space left on device; training can go on "
        "from runs/version_0/checkpoints/step_0000004.ckpt (ckpt_path=last)"
    )
    folder = tmp_path / "runs/version_0/checkpoints"
    steps = {path.name: read_checkpoint(path)["global_step"] for path in folder.iterdir()}
    assert steps == {"last.ckpt": 2, "step_0000004.ckpt": 4}
    assert command(f"{words} trainer.max_steps=6 ckpt_path=last").code == 0
    assert read_checkpoint(tmp_path / f"runs/version_1/{LAST}")["global_step"] == 6


DISK = """
import os, subprocess, sys
from pathlib import Path
from lightning_gan.__main__ import main
from lightning_gan.training.checkpoint import read_checkpoint

def mount(*options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", *options, "tmpfs", "runs"], check=True)

def fit(*words):
    print("code", main([*sys.argv[1:], *words]), file=sys.stderr)
    steps = [read_checkpoint(path)["global_step"] for path in Path("runs").rglob("*.ckpt")]
    print("furthest", max(steps), file=sys.stderr)
    return max(steps)

os.mkdir("runs")
mount("size=200k")
reached = fit("trainer.max_steps=100000")
mount("remount,size=4m,ro")
assert fit("ckpt_path=last", "trainer.max_steps=100000") == reached
mount("remount,rw")
assert fit("ckpt_path=last", f"trainer.max_steps={reached + 3}") == reached + 3
"""


def test_a_disk_that_is_full_and_one_that_is_read_only(tmp_path, small):
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    probe = [*namespace, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    try:
        subprocess.run(probe, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    # The loggers fill the disk, and meet it or the checkpoints do.
    words = [*small.split(), "checkpoint.every_n_train_steps=20", "trainer.log_every_n_steps=1"]
    ran = subprocess.run(
        [*namespace, sys.executable, "-c", DISK, "fit", *words, "threads=1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    assert [line for line in ran.stderr.splitlines() if line.startswith("code ")] == [
        *("code 2", "code 2", "code 0")
    ]
    full, read_only = (line for line in ran.stderr.splitlines() if line.startswith("error: "))
    kept = r"training can go on from runs/version_0/checkpoints/\w+\.ckpt \(ckpt_path=last\)"
    refused = r"(cannot save runs/\S+: No space left on device|No space left on device: \S+)"
    assert re.fullmatch(rf"error: {refused}; {kept}", full)
    assert re.fullmatch(rf"error: Read-only file system: \S+; {kept}", read_only)


def disk_error(error, root):
    with pytest.raises(InputError) as caught, disk_explained(str(root)):
        raise error
    return str(caught.value)


def test_what_a_disk_refuses_other_writers_is_one_sentence(tmp_path, write):
    full = OSError(errno.ENOSPC, "No space left on device")
    assert disk_error(full, tmp_path) == (
        f"No space left on device: {tmp_path}; nothing has been saved below {tmp_path} yet"
    )
    kept = write(f"version_0/{LAST}", 6, time=100)
    refused = PermissionError(errno.EACCES, "Permission denied", "metrics.csv")
    assert disk_error(refused, tmp_path) == (
        f"Permission denied: metrics.csv; training can go on from {kept} (ckpt_path=last)"
    )


def test_of_several_failures_the_first_is_told(tmp_path):
    closing = OSError(errno.ENOSPC, "as the loggers are closed")
    closing.__context__ = RuntimeError()
    closing.__context__.__context__ = InputError("cannot save")
    assert disk_error(closing, tmp_path) == "cannot save"


def test_other_failures_keep_their_kind(tmp_path):
    with pytest.raises(FileNotFoundError), disk_explained(str(tmp_path)):
        raise FileNotFoundError(errno.ENOENT, "no such image")
